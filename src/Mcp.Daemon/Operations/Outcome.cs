namespace Mcp.Daemon.Operations;

/// <summary>What came of an operation.</summary>
public enum Outcome
{
    Done,

    /// <summary>A step failed, and all is as it was before.</summary>
    Undone,

    /// <summary>A step failed, and what was done before it stands; or something else took its place.</summary>
    Failed,
}
