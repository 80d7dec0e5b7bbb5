namespace Mcp.Agent.ProxyProcess.Passing;

/// <summary>All headers, Host too, from an edge node, which has said who asks.</summary>
internal sealed class AsReceived : AsItCame
{
    public static readonly AsReceived Instance = new();
}
