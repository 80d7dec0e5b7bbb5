using Grpc.Core;
using Mcp.Master.Nodes;
using Mcp.Master.Store;
using Mcp.Model.Definition;
using Mcp.Model.Names;
using Mcp.Model.Revisions;
using Mcp.Protocol.Revisions;
using Mcp.Protocol.V1;

namespace Mcp.Master.Deploy;

/// <summary>Volumes that a service leaves on a node when it moves.</summary>
public sealed record LeftData(Label Node, Label Component, string Path)
{
    public override string ToString() => $"{Component} {Path} on {Node}";
}

/// <summary>What the nodes of a service have of it, whatever the master has written down: an answer may have been lost, or somebody
/// deployed with --direct.</summary>
public sealed class NodeDefinitions(NodeDirectory nodes, AgentPool agents, MasterStore store)
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(5);

    /// <summary>As an agent keeps it that has accepted it last: where it was going, else where it is.</summary>
    /// <remarks>An old copy that is still to be removed says nothing.</remarks>
    /// <returns>Null: none of them has it, or none answers.</returns>
    /// <exception cref="Mcp.Model.Errors.McpException">definition.unreadable</exception>
    public async Task<Revision?> NewestAsync(Placement there, CancellationToken ct)
    {
        foreach (var node in Nodes(there).Where(n => !store.Leftovers.IsLeftAt(there.Service, n.Text)))
        {
            if (await OnAsync(node, there.Service, ct) is { } kept)
                return kept.TryRead(there.Service) is null ? throw Revision.Unreadable(there.Service) : kept;
        }

        return null;
    }

    /// <summary>The writable volumes that stay behind when the service goes from where it is to that node. Judged by what runs, not by what
    /// is wanted; where nobody can say what runs, by both.</summary>
    /// <exception cref="Mcp.Model.Errors.McpException">definition.unreadable</exception>
    public async Task<IReadOnlyList<LeftData>> LeftByAsync(Placement there, Label node, ServiceDefinition wanted, CancellationToken ct)
    {
        // Back to where its names lead: nothing has left yet.
        if (node == there.Node)
            return [];
        var left = new List<LeftData>();
        foreach (var from in Nodes(there).Where(n => n != node))
        {
            var kept = await AskAsync(from, there.Service, ct);
            if (kept is not null)
                left.AddRange(Of(from, RevisionMapping.Resolved(kept).Read(there.Service)));
            if (from != there.Seat)
                continue;
            // Where the agent says what runs, the master need not be able to read what it wrote down.
            if (there.TryRead() is { } recorded)
                left.AddRange(Of(from, recorded));
            else if (kept is null)
                throw Revision.Unreadable(there.Service);
            if (kept is null && there.Target is not null)
                left.AddRange(Of(from, wanted));
        }

        return [.. left.Distinct()];
    }

    private static IEnumerable<Label> Nodes(Placement there) => new[] { there.Target, there.Node }.OfType<Label>().Distinct();

    private static IEnumerable<LeftData> Of(Label node, ServiceDefinition service) =>
        service.Components.SelectMany(c => c.Volumes.Where(v => v.Writable).Select(v => new LeftData(node, c.Name, v.Source)));

    /// <returns>As the node's agent was asked for it, unread; null: it is silent, or has no such service.</returns>
    public async Task<Revision?> OnAsync(Label name, Label service, CancellationToken ct) =>
        await AskAsync(name, service, ct) is { } reply ? RevisionMapping.Read(reply) : null;

    private async Task<ServiceReply?> AskAsync(Label name, Label service, CancellationToken ct)
    {
        // One that has fallen silent long since is not waited for again, service by service.
        if (store.Nodes.Find(name) is not { Key.Length: > 0, Address.Length: > 0 } node || !nodes.IsReachable(node))
            return null;
        try
        {
            return await agents.Of(node).ShowServiceAsync(new ServiceRequest { Service = service.Text }, agents.Within(s_limit, ct));
        }
        catch (RpcException) when (!ct.IsCancellationRequested)
        {
            return null;
        }
    }
}
