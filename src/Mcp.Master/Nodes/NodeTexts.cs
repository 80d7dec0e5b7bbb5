using Google.Protobuf;
using Mcp.Daemon.Doors;
using Mcp.Model.Errors;
using Mcp.Protocol.V1;

namespace Mcp.Master.Nodes;

/// <summary>What a node says of itself in a heartbeat, as it is kept: no text longer than it may be, and nothing that this version does not
/// know.</summary>
public static class NodeTexts
{
    // A version, a zone, or why a runtime cannot be used.
    private const int LongestFact = 1024;
    private const int MostRuntimes = 16;
    private const int MostEndings = 1000;

    /// <exception cref="McpException">node.facts</exception>
    public static NodeStatusReply Kept(NodeStatusReply facts)
    {
        if (facts.Runtimes.Count > MostRuntimes)
        {
            throw new McpException(
                ErrorCode.NodeFacts,
                $"a heartbeat names {facts.Runtimes.Count} runtimes",
                $"at most {MostRuntimes} are taken");
        }

        var kept = NodeStatusReply.Parser.WithDiscardUnknownFields(true).ParseFrom(facts.ToByteArray());
        // Those of whom somebody should hear first.
        List<Ending> nearest = [.. kept.Endings.OrderBy(e => e.End?.Seconds ?? long.MaxValue).Take(MostEndings)];
        kept.Endings.Clear();
        kept.Endings.AddRange(nearest);
        Texts.CutIn(kept, LongestFact);
        return kept;
    }

    public static StatusReply Kept(StatusReply status)
    {
        var kept = StatusReply.Parser.WithDiscardUnknownFields(true).ParseFrom(status.ToByteArray());
        Texts.CutIn(kept, Texts.Longest);
        return kept;
    }
}
