using Grpc.Core;
using Mcp.Master.Nodes;
using Mcp.Master.Store;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Model.Placement;
using Mcp.Protocol.V1;

namespace Mcp.Master.Fleet;

/// <summary>Asks all agents at once, each within one limit, and merges; a node that does not answer is told as such, with what was last
/// known of it.</summary>
public sealed class FleetView(NodeDirectory nodes, AgentPool agents, MasterStore store)
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(2);

    // An agent counts for 5 s at most.
    private static readonly TimeSpan s_counting = TimeSpan.FromSeconds(9);
    private static readonly TimeSpan s_pruning = TimeSpan.FromMinutes(25);

    /// <param name="service">Only this one: only its node is asked.</param>
    /// <exception cref="McpException">service.unknown</exception>
    public async Task<StatusReply> StatusAsync(Label? service, CancellationToken ct)
    {
        var placements = service is null ? store.Placements.List() : store.Placements.Find(service) is { } one ? [one] : [];
        // One that the master has not placed may have been deployed with --direct anywhere.
        var asked = service is not null && placements is [var there] ? With(there).Select(store.Nodes.Find).OfType<StoredNode>() : Joined();
        var request = new StatusRequest { Service = service?.Text ?? "" };
        var homes = placements.ToDictionary(p => p.Service.Text, p => p.Seat.Text);
        var answers = await AskAsync(asked, (agent, options) => agent.StatusAsync(request, options), s_limit, ct);
        var reply = new StatusReply();
        foreach (var (node, answer, problem) in answers)
        {
            if (problem?.Code == ErrorCode.ServiceUnknown)
                continue;
            var told = answer ?? store.Nodes.LastStatus(node.Name) ?? new StatusReply();
            if (problem is not null)
                reply.Unreachable.Add(new NodeProblem { Node = node.Name.Text, What = Since(node, problem) });
            reply.Unreachable.AddRange(answer?.Unreachable ?? []);
            reply.Components.AddRange(told.Components.Where(c => service is null || c.Service == service.Text)
                .Select(c => Marked(c, node, problem is not null, homes)));
            reply.Drift.AddRange((answer?.Drift ?? []).Select(d => Marked(d, node)));
        }

        var seen = reply.Components.Select(c => (c.Service, c.Node)).ToHashSet();
        foreach (var missing in placements.Where(p => !seen.Contains((p.Service.Text, p.Seat.Text))))
            reply.Components.AddRange(Unseen(missing, reply.Unreachable.Any(u => u.Node == missing.Seat.Text)));
        reply.Components.AddRange(placements.Where(p => p.TryRead() is null).Select(Unreadable));
        if (service is not null && reply.Components.Count == 0)
            throw Unknown(service.Text);

        if (reply.Components.Any(c => c.Routes.Any(r => r.Public)))
            Mark(reply, store.EdgeRoutes.List());
        FleetUrls.Mark(reply, asked);
        var sorted = reply.Components.OrderBy(c => c.Service, StringComparer.Ordinal).ThenBy(c => c.Node, StringComparer.Ordinal).ToList();
        reply.Components.Clear();
        reply.Components.AddRange(sorted);
        return reply;
    }

    public async Task<LiveCheckReply> LiveCheckAsync(StatusRequest request, CancellationToken ct)
    {
        var reply = new LiveCheckReply();
        foreach (var (node, answer, problem) in await AskAsync(
            Joined(),
            (agent, options) => agent.LiveCheckAsync(request, options),
            s_limit,
            ct))
        {
            if (problem?.Code == ErrorCode.ServiceUnknown)
                continue;
            if (problem is not null)
                reply.Unreachable.Add(new NodeProblem { Node = node.Name.Text, What = Since(node, problem) });
            reply.Unreachable.AddRange(answer?.Unreachable ?? []);
            foreach (var instance in answer?.Instances ?? [])
            {
                instance.Node = node.Name.Text;
                reply.Instances.Add(instance);
            }
        }

        return request.Service.Length == 0
            || reply.Instances.Count > 0
            || store.Placements.Find(Label.Parse(request.Service)) is not null
                ? reply
                : throw Unknown(request.Service);
    }

    public async Task<SyncReply> SyncAsync(SyncRequest request, CancellationToken ct)
    {
        var reply = new SyncReply();
        foreach (var (node, answer, problem) in await AskAsync(
            Joined(),
            (agent, options) => agent.SyncAsync(request, options),
            TimeSpan.FromMinutes(4),
            ct))
        {
            if (problem is not null)
                reply.Unreachable.Add(new NodeProblem { Node = node.Name.Text, What = Since(node, problem) });
            reply.Drift.AddRange((answer?.Drift ?? []).Select(d => Marked(d, node)));
        }

        return reply;
    }

    public async Task<VolumesReply> VolumesAsync(VolumesRequest request, CancellationToken ct)
    {
        var reply = new VolumesReply();
        foreach (var (node, answer, problem) in await AskAsync(
            Joined(),
            (agent, options) => agent.ListVolumesAsync(request, options),
            s_counting,
            ct))
        {
            if (problem is not null)
                reply.Unreachable.Add(new NodeProblem { Node = node.Name.Text, What = Since(node, problem) });
            foreach (var volume in answer?.Volumes ?? [])
            {
                volume.Node = node.Name.Text;
                reply.Volumes.Add(volume);
            }
        }

        return reply;
    }

    public async Task<ImagesReply> ImagesAsync(ImagesRequest request, CancellationToken ct)
    {
        var reply = new ImagesReply();
        foreach (var (node, answer, problem) in await AskAsync(
            Joined(request.Node),
            (agent, options) => agent.ListImagesAsync(request, options),
            s_counting,
            ct))
        {
            if (problem is not null)
                reply.Unreachable.Add(new NodeProblem { Node = node.Name.Text, What = Since(node, problem) });
            reply.Unreachable.AddRange(answer?.Unreachable ?? []);
            reply.Images.AddRange((answer?.Images ?? []).Select(i => Marked(i, node)));
        }

        return reply;
    }

    public async Task<PruneImagesReply> PruneImagesAsync(PruneImagesRequest request, CancellationToken ct)
    {
        var reply = new PruneImagesReply();
        foreach (var (node, answer, problem) in await AskAsync(
            Joined(request.Node),
            (agent, options) => agent.PruneImagesAsync(request, options),
            s_pruning,
            ct))
        {
            if (problem is not null)
                reply.Unreachable.Add(new NodeProblem { Node = node.Name.Text, What = Since(node, problem) });
            reply.Failed.AddRange((answer?.Failed ?? []).Select(f => $"{node.Name}: {f}"));
            reply.Images.AddRange((answer?.Images ?? []).Select(i => Marked(i, node)));
            reply.Bytes += answer?.Bytes ?? 0;
        }

        return reply;
    }

    /// <summary>The only node that has the volume.</summary>
    /// <exception cref="McpException">volume.unknown: none of them has it, or several; volume.unsure: one does not say.</exception>
    public async Task<Label> WithVolumeAsync(Label service, string name, CancellationToken ct)
    {
        var told = await VolumesAsync(new VolumesRequest { Service = service.Text }, ct);
        var nodes = told.Volumes.Where(v => v.Name == name).Select(v => v.Node).ToList();
        if (nodes.Count > 1)
        {
            throw new McpException(
                ErrorCode.VolumeUnknown,
                $"several nodes have a volume {service}/{Label.Clip(name)}: {string.Join(", ", nodes)}; nothing was removed",
                "say which one: --node NODE");
        }

        if (nodes.Count == 1 && told.Unreachable.Count == 0)
            return Label.Parse(nodes[0]);
        throw told.Unreachable.Count > 0
            ? new McpException(
                ErrorCode.VolumeUnsure,
                $"{told.Unreachable[0].Node} does not answer and may have the volume {service}/{Label.Clip(name)}; nothing was removed",
                "say which node is meant: --node NODE")
            : new McpException(
                ErrorCode.VolumeUnknown,
                $"no node has a volume {service}/{Label.Clip(name)}",
                "mcp volume list shows those that are");
    }

    /// <summary>The same of every node; what each has done, after its name.</summary>
    public async Task<OperationReply> EachAsync(
        Func<Protocol.V1.Agent.AgentClient, CallOptions, AsyncUnaryCall<OperationReply>> call,
        CancellationToken ct)
    {
        var reply = new OperationReply();
        foreach (var (node, answer, problem) in await AskAsync(Joined(), call, TimeSpan.FromMinutes(4), ct))
        {
            reply.Done.AddRange((answer?.Done ?? []).Select(d => $"{node.Name}: {d}"));
            if (problem is not null)
                reply.Failed.Add($"{node.Name}: {problem.Message}");
        }

        return reply;
    }

    public ListNodesReply Nodes()
    {
        var counts = store.Placements.Counts();
        var reply = new ListNodesReply();
        foreach (var node in store.Nodes.List())
        {
            var told = new Node
            {
                Name = node.Name.Text,
                Address = node.Address,
                State = nodes.State(node),
                Cordoned = node.Cordoned,
                Services = counts.GetValueOrDefault(node.Name.Text),
                Facts = node.Facts,
            };
            told.Roles.AddRange(NodeRoles.Spell(node.Roles));
            if (node.LastSeen is { } seen)
                told.LastHeartbeat = Google.Protobuf.WellKnownTypes.Timestamp.FromDateTimeOffset(seen);
            reply.Nodes.Add(told);
        }

        return reply;
    }

    // Also where a copy is still to be removed.
    private IEnumerable<Label> With(Placement placement) =>
        new[] { placement.Home, placement.Seat }.Concat(store.Leftovers.CopiesOf(placement.Service).Select(l => Label.Parse(l.Node)))
            .Distinct();

    private List<StoredNode> Joined() => store.Nodes.List().FindAll(n => n.Key.Length > 0);

    private List<StoredNode> Joined(string node) => node.Length == 0 ? Joined() : [nodes.Get(Label.Parse(node))];

    private Task<(StoredNode Node, T? Answer, McpException? Problem)[]> AskAsync<T>(
        IEnumerable<StoredNode> asked,
        Func<Protocol.V1.Agent.AgentClient, CallOptions, AsyncUnaryCall<T>> call,
        TimeSpan limit,
        CancellationToken ct)
        where T : class => Task.WhenAll(asked.Select(async node =>
        {
            try
            {
                return (node, (T?)await call(agents.Of(node), agents.Within(limit, ct)), (McpException?)null);
            }
            catch (RpcException e) when (!ct.IsCancellationRequested)
            {
                return (node, null, AgentPool.Explain(node.Name, e));
            }
        }));

    private static string Since(StoredNode node, McpException problem) =>
        node.LastSeen is { } seen ? $"{problem.Message}; last heartbeat {seen:yyyy-MM-dd HH:mm:ss}Z" : problem.Message;

    private static McpException Unknown(string service) =>
        new(ErrorCode.ServiceUnknown, $"there is no service {service} in this fleet", "mcp list shows those that are");

    private static ComponentStatus Marked(ComponentStatus component, StoredNode node, bool stale, Dictionary<string, string> homes)
    {
        component.Node = node.Name.Text;
        component.Stale |= stale;
        component.Misplaced = homes.TryGetValue(component.Service, out var home) && home != node.Name.Text;
        return component;
    }

    private static void Mark(StatusReply reply, List<StoredEdgeRoute> edges)
    {
        var byHost = edges.ToDictionary(e => e.Hostname.Text);
        foreach (var route in reply.Components.SelectMany(c => c.Routes))
        {
            if (!route.Public || !byHost.TryGetValue(route.Hostname, out var edge))
                continue;
            route.Edge = edge.Node.Text;
            route.CertificateExpires = edge.CertificateExpires is { } expires
                ? Google.Protobuf.WellKnownTypes.Timestamp.FromDateTimeOffset(expires)
                : null;
        }
    }

    private static Protocol.V1.Drift Marked(Protocol.V1.Drift drift, StoredNode node)
    {
        drift.Node = node.Name.Text;
        return drift;
    }

    private static NodeImage Marked(NodeImage image, StoredNode node)
    {
        image.Node = node.Name.Text;
        return image;
    }

    // What its node tells of it stands beside this.
    private static ComponentStatus Unreadable(Placement placement) => new()
    {
        Service = placement.Service.Text,
        Desired = "unknown",
        Observed = "unreadable",
        Node = placement.Seat.Text,
    };

    // Placed there, and its node says nothing of it.
    private static IEnumerable<ComponentStatus> Unseen(
        Placement placement,
        bool stale) => (placement.TryRead()?.Components ?? []).Select(c => new ComponentStatus
        {
            Service = placement.Service.Text,
            Component = c.Name.Text,
            Image = c.Image.Text,
            Runtime = Spellings.Runtimes.Spell(c.Runtime),
            Desired = "running",
            Observed = placement.Node is null ? "placing" : "unknown",
            Node = placement.Seat.Text,
            Stale = stale,
        });
}
