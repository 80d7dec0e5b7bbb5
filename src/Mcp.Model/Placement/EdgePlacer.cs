using Mcp.Model.Errors;
using Mcp.Model.Names;

namespace Mcp.Model.Placement;

/// <param name="Serves">Its agent says that it is set up as an edge node.</param>
/// <param name="Routes">How many hostnames it has.</param>
public sealed record EdgeCandidate(Label Node, bool Reachable, bool Serves, int Routes);

/// <summary>Chooses the edge node of a hostname. Pure.</summary>
public static class EdgePlacer
{
    /// <summary>Where it is, as long as that node is one of the fleet's edge nodes, reachable or not: its public address is in the world's
    /// DNS. Else the one with the fewest hostnames; ties alphabetical.</summary>
    /// <exception cref="McpException">edge.none: names each edge node with what speaks against it.</exception>
    public static Label Place(Hostname hostname, IReadOnlyList<EdgeCandidate> candidates, Label? current)
    {
        if (candidates.FirstOrDefault(c => c.Node == current) is { } there)
            return there.Node;
        if (candidates.Where(c => c is { Reachable: true, Serves: true })
            .OrderBy(c => c.Routes)
            .ThenBy(c => c.Node.Text, StringComparer.Ordinal)
            .FirstOrDefault() is { } best)
        {
            return best.Node;
        }

        throw candidates.Count == 0
            ? new McpException(
                ErrorCode.EdgeNone,
                $"{hostname} is public, and no node of this fleet has the role edge",
                "mcp node join-token --role edge, then mcp-agent join there")
            : new McpException(
                ErrorCode.EdgeNone,
                $"no edge node can have {hostname}: {string.Join("; ", candidates.Select(Why))}",
                "mcp node list");
    }

    private static string Why(EdgeCandidate candidate) =>
        candidate.Reachable ? $"{candidate.Node} has no [edge] in its agent.toml" : $"{candidate.Node} is unreachable";
}
