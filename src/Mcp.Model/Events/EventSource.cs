namespace Mcp.Model.Events;

/// <summary>Which programs write an event.</summary>
[Flags]
public enum EventSource
{
    None = 0,
    Agent = 1,
    Master = 2,
}
