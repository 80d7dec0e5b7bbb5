using Grpc.Core;
using Mcp.Master.Store;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Model.Placement;
using Mcp.Protocol.V1;

namespace Mcp.Master.Nodes;

/// <summary>Which machines all images of a service can run on. Only a fleet of several architectures needs to know; one of its nodes asks
/// the registries.</summary>
public sealed class CommonArchitectures(AgentPool agents, MasterStore store)
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(10);

    /// <summary>Null: all nodes are alike.</summary>
    /// <exception cref="McpException">image.architectures: no registry or no node says it.</exception>
    public async Task<IReadOnlySet<string>?> OfAsync(ServiceDefinition service, IReadOnlyList<Candidate> candidates, CancellationToken ct)
    {
        var there = candidates.Where(c => c.Reachable).ToList();
        if (there.Select(c => c.Architecture).Distinct().Count() < 2)
            return null;
        HashSet<string>? common = null;
        foreach (var image in service.Components.Select(c => c.Image.Text).Distinct())
        {
            var here = await AskAsync(there[0].Node, image, ct);
            common = common is null ? here : [.. common.Intersect(here)];
        }

        return common;
    }

    private async Task<HashSet<string>> AskAsync(Label name, string image, CancellationToken ct)
    {
        try
        {
            var agent = agents.Of(store.Nodes.Find(name)!);
            var reply = await agent.ImageArchitecturesAsync(new ImageRequest { Image = image }, agents.Within(s_limit, ct));
            return [.. reply.Architectures];
        }
        catch (RpcException e) when (!ct.IsCancellationRequested)
        {
            throw AgentPool.Explain(name, e);
        }
    }
}
