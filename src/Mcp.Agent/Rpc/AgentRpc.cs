using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Mcp.Agent.Deploy;
using Mcp.Agent.Registry;
using Mcp.Daemon.Events;
using Mcp.Daemon.Identity;
using Mcp.Daemon.Operations;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Model.Revisions;
using Mcp.Protocol.Revisions;
using Mcp.Protocol.V1;

namespace Mcp.Agent.Rpc;

/// <summary>The agent's RPCs: map, call, map back; no decisions.</summary>
internal sealed class AgentRpc(
    ServiceParts services,
    NodeParts node,
    RequestNumbers numbers,
    AgentRegistry registry,
    TimeProvider time,
    IHostApplicationLifetime lifetime) : Protocol.V1.Agent.AgentBase
{
    private readonly LogStream _logs = new(registry.Components, node.Runtimes);

    public override async Task Deploy(DeployRequest request, IServerStreamWriter<StepEvent> responseStream, ServerCallContext context)
    {
        var service = Wanted(request, context);
        var options = Options(request, context);
        // The call may be over before the deploy is, and cannot be asked then.
        var isMasters = AuthInterceptor.CallerOf(context).IsMaster;
        var work = new Work(Work.Deploy, options.By) { Patience = context.CancellationToken };
        await StepStream.SendAsync(work, DeployAsync, responseStream, context.CancellationToken);

        async Task<StepEvent> DeployAsync()
        {
            var finished = new StepEvent { Unchanged = !await CarriedOutAsync() };
            if (isMasters && registry.Components.Find(service.Name) is { } kept)
            {
                finished.Revision = Revision.Of(kept.AsAsked).ToWire();
                finished.Release = registry.Releases.Last(service.Name);
            }

            return finished;
        }

        async Task<bool> CarriedOutAsync()
        {
            try
            {
                return await services.Deployer.CarryOutAsync(service, options, work, Stopping);
            }
            finally
            {
                // Also of one that was undone: whoever asks now is told how it is now.
                await node.Reconciler.LookAsync(Stopping);
            }
        }
    }

    public override Task DeployPlanned(DeployRequest request, IServerStreamWriter<StepEvent> responseStream, ServerCallContext context) =>
        Deploy(request, responseStream, context);

    public override async Task<PlanReply> Plan(DeployRequest request, ServerCallContext context)
    {
        var service = Wanted(request, context);
        if (registry.Operations.Open().Any(o => o.Subject == service.Name.Text))
        {
            var what = $"a deploy of {service.Name} is under way, so what another one would change is not known yet";
            throw new McpException(ErrorCode.DeployUnfinished, what, "ask again when it has ended: mcp events");
        }

        var plan = await services.Rollouts.PlanAsync(service, Options(request, context) with { Looks = true }, context.CancellationToken);
        return SeenPlan.By(AuthInterceptor.CallerOf(context), plan.ToWire());
    }

    public override Task Attach(ServiceRequest request, IServerStreamWriter<StepEvent> responseStream, ServerCallContext context)
    {
        var (caller, work) = (AuthInterceptor.CallerOf(context), Underway(Label.Parse(request.Service)));
        var seen = new SeenSteps(caller, responseStream);
        return SeenWords.FollowedAsync(caller, () => StepStream.FollowAsync(work, seen, context.CancellationToken));
    }

    public override Task<OperationReply> Cancel(CancelRequest request, ServerCallContext context)
    {
        var caller = AuthInterceptor.CallerOf(context);
        var by = caller.IsMaster && request.By.Length > 0 ? Label.Clip(request.By) : caller.Name;
        var service = Label.Parse(request.Service);
        return Cancellation.CancelAsync(service, Underway(service), by, context.CancellationToken);
    }

    public override Task<UnderwayReply> Underway(ServiceRequest request, ServerCallContext context) =>
        Task.FromResult(Cancellation.Underway(services.Locks.Of(Label.Parse(request.Service))));

    public override Task<OperationReply> Undeploy(ServiceRequest request, ServerCallContext context)
    {
        var number = numbers.Of(request.Sequence, request.Standing, context);
        var service = Label.Parse(request.Service);
        return DoneAsync("undeploy", work => services.Undeployer.UndeployAsync(service, number, work, Stopping), context);
    }

    public override Task<OperationReply> Start(ComponentRequest request, ServerCallContext context) =>
        ChangedAsync("start", request, services.Control.StartAsync, context);

    public override Task<OperationReply> Stop(ComponentRequest request, ServerCallContext context) =>
        ChangedAsync("stop", request, services.Control.StopAsync, context);

    public override Task<OperationReply> Restart(ComponentRequest request, ServerCallContext context) =>
        ChangedAsync("restart", request, services.Control.RestartAsync, context);

    public override Task<OperationReply> Purge(PurgeRequest request, ServerCallContext context) =>
        DoneAsync("purge", _ => services.Control.PurgeAsync(request.DryRun, Stopping), context);

    public override Task<OperationReply> Adopt(AdoptRequest request, ServerCallContext context) =>
        DoneAsync("adopt", _ => services.Adoption.AdoptAsync(Service(request.Service), request.DryRun, Stopping), context);

    public override Task<PushFileReply> PushFile(IAsyncStreamReader<FileChunk> requestStream, ServerCallContext context) =>
        FileTransfer.PushAsync(node.Files, requestStream, context.CancellationToken);

    public override Task PullFile(PullFileRequest request, IServerStreamWriter<FileChunk> responseStream, ServerCallContext context) =>
        FileTransfer.PullAsync(node.Files, request, responseStream, context.CancellationToken);

    public override async Task<StatusReply> Status(StatusRequest request, ServerCallContext context)
    {
        var (caller, service) = (AuthInterceptor.CallerOf(context), Service(request.Service));
        var status = node.Services.Status(service);
        // Somebody has just changed something, it may be.
        if (status.IsInDoubt)
        {
            await node.Reconciler.LookSoonAsync(context.CancellationToken);
            status = node.Services.Status(service);
        }

        var reply = status.ToWire();
        return service is not null && reply.Components.Count == 0 ? throw Unknown(service.Text) : SeenWords.By(caller, reply);
    }

    public override async Task<LiveCheckReply> LiveCheck(StatusRequest request, ServerCallContext context)
    {
        var service = Service(request.Service);
        var reply = new LiveCheckReply();
        var sight = node.Reconciler.Sight;
        await sight.LookAsync(context.CancellationToken);
        foreach (var runtime in sight.All)
        {
            if (runtime.Silent is not null)
            {
                reply.Unreachable.Add(runtime.ToWire(node.View.Name));
                continue;
            }

            var wanted = runtime.Instances.Where(i => service is null || i.Name.Service == service);
            var sorted = wanted.OrderBy(i => i.Name.ToString(), StringComparer.Ordinal);
            reply.Instances.AddRange(sorted.Select(i => i.ToWire(runtime.Runtime)));
        }

        return service is null || reply.Instances.Count > 0 || registry.Components.List(service).Count > 0
            ? reply
            : throw Unknown(service.Text);
    }

    public override Task<ServiceReply> ShowService(ServiceRequest request, ServerCallContext context)
    {
        var service = registry.Components.Find(Label.Parse(request.Service)) ?? throw Unknown(request.Service);
        var asked = Revision.Of(service.AsAsked);
        var resolved = Revision.Of(service);
        return Task.FromResult(new ServiceReply
        {
            Definition = ServiceFileWriter.Write(service),
            Revision = asked.ToWire(),
            Resolved = resolved.Equals(asked) ? ByteString.Empty : resolved.ToWire(),
        });
    }

    public override Task Logs(LogsRequest request, IServerStreamWriter<LogLine> responseStream, ServerCallContext context) =>
        _logs.SendAsync(request, responseStream, Stopping, context.CancellationToken);

    public override async Task Events(EventsRequest request, IServerStreamWriter<Event> responseStream, ServerCallContext context)
    {
        var caller = AuthInterceptor.CallerOf(context);
        var events = EventStream.ReadAsync(
            registry.Events, request.Follow, request.Tail, request.After, time, Stopping, context.CancellationToken);
        await foreach (var e in events)
        {
            var told = new Event
            {
                Id = e.Id,
                Time = e.Time.ToTimestamp(),
                Service = e.Service,
                Component = e.Component,
                Kind = e.Kind.Text,
                Detail = e.Detail,
            };
            await responseStream.WriteAsync(SeenWords.By(caller, told), context.CancellationToken);
        }
    }

    public override async Task<SyncReply> Sync(SyncRequest request, ServerCallContext context)
    {
        var reply = new SyncReply();
        reply.Drift.AddRange((await node.Reconciler.MendAsync(request.DryRun, context.CancellationToken)).Select(d => d.ToWire()));
        return reply;
    }

    public override async Task<NodeStatusReply> NodeStatus(NodeStatusRequest request, ServerCallContext context)
    {
        CheckNode(request.Node);
        return (await node.View.FactsAsync(context.CancellationToken)).ToWire(time.GetUtcNow());
    }

    public override Task<WhoAmIReply> WhoAmI(WhoAmIRequest request, ServerCallContext context)
    {
        var caller = AuthInterceptor.CallerOf(context);
        return Task.FromResult(new WhoAmIReply
        {
            Name = caller.Name,
            Role = caller.Role.ToString().ToLowerInvariant(),
            Expires = caller.Expires.ToTimestamp(),
            Node = node.View.Name.Text,
        });
    }

    public override async Task<ImageArchitecturesReply> ImageArchitectures(ImageRequest request, ServerCallContext context)
    {
        var reply = new ImageArchitecturesReply();
        reply.Architectures.AddRange(await node.Architectures.OfAsync(ImageReference.Parse(request.Image), context.CancellationToken));
        return reply;
    }

    public override async Task<EdgeRoute> SetupEdgeRoute(EdgeRouteRequest request, ServerCallContext context)
    {
        var (hostname, service) = (Host(request.Hostname), Label.Parse(request.Service));
        var number = numbers.Of(request.Sequence, request.Standing, context);
        var route = await node.Edge.SetupAsync(hostname, service, request.Backend, request.Resolver, number, context.CancellationToken);
        return route.ToWire(node.View.Name, node.Edge);
    }

    public override async Task<OperationReply> RemoveEdgeRoute(EdgeRouteRequest request, ServerCallContext context)
    {
        var reply = new OperationReply();
        var (hostname, service) = (Host(request.Hostname), Label.Parse(request.Service));
        var number = numbers.Of(request.Sequence, request.Standing, context);
        if (await node.Edge.RemoveAsync(hostname, service, number, Stopping))
            reply.Done.Add($"removed the route {request.Hostname} with its certificate");
        return reply;
    }

    public override Task<ListEdgeRoutesReply> ListEdgeRoutes(ListEdgeRoutesRequest request, ServerCallContext context)
    {
        var reply = new ListEdgeRoutesReply();
        reply.Routes.AddRange(node.Edge.All.Select(r => r.ToWire(node.View.Name, node.Edge)));
        return Task.FromResult(reply);
    }

    public override async Task<VolumesReply> ListVolumes(VolumesRequest request, ServerCallContext context)
    {
        var reply = new VolumesReply();
        reply.Volumes.AddRange((await node.Volumes.ListAsync(Service(request.Service), context.CancellationToken)).Select(v => v.ToWire()));
        return reply;
    }

    public override Task<OperationReply> RemoveVolume(VolumeRequest request, ServerCallContext context)
    {
        CheckNode(request.Node);
        return DoneAsync(
            "the removal of a volume",
            _ => node.Volumes.RemoveAsync(Label.Parse(request.Service), request.Name, context.CancellationToken),
            context);
    }

    public override async Task<ImagesReply> ListImages(ImagesRequest request, ServerCallContext context)
    {
        CheckNode(request.Node);
        return (await node.Images.ListAsync(context.CancellationToken)).ToWire(node.View.Name);
    }

    public override async Task<PruneImagesReply> PruneImages(PruneImagesRequest request, ServerCallContext context)
    {
        CheckNode(request.Node);
        return (await node.Images.PruneAsync(request.DryRun, context.CancellationToken)).ToWire();
    }

    // Who names another node means that one, whatever it is.
    private void CheckNode(string asked)
    {
        if (asked.Length == 0 || Label.Parse(asked) == node.View.Name)
            return;
        throw new McpException(
            ErrorCode.NodeUnknown, $"this is {node.View.Name}, not {Label.Clip(asked)}", "ask the master, or that node");
    }

    private DeployOptions Options(DeployRequest request, ServerCallContext context)
    {
        var caller = AuthInterceptor.CallerOf(context);
        var number = numbers.Of(request.Sequence, request.Standing, context);
        return new(Component(request.Component), request.Force, request.IfChanged, number)
        {
            Plan = request.Plan.Length == 0 ? null : request.Plan,
            Pull = [.. request.Pull.Select(Label.Parse).Distinct()],
            By = caller.IsMaster && request.By.Length > 0 ? Label.Clip(request.By) : caller.Name,
            Release = caller.IsMaster ? request.Release : 0,
        };
    }

    private static Hostname Host(string text) => Hostname.TryParse(text, out var hostname)
        ? hostname
        : throw new McpException(ErrorCode.EdgeHostname, $"'{Label.Clip(text)}' is not a hostname", Hostname.Allowed);

    private Task<OperationReply> ChangedAsync(
        string what,
        ComponentRequest request,
        Func<Label, Label?, Work, CancellationToken, Task<IReadOnlyList<string>>> change,
        ServerCallContext context) =>
        DoneAsync(what, work => change(Label.Parse(request.Service), Component(request.Component), work, Stopping), context);

    // Of a client that goes away, what has not begun is not done.
    private async Task<OperationReply> DoneAsync(
        string what,
        Func<Work, Task<IReadOnlyList<string>>> operation,
        ServerCallContext context)
    {
        using var work = new Work(what, AuthInterceptor.CallerOf(context).Name) { Patience = context.CancellationToken };
        var reply = new OperationReply();
        try
        {
            reply.Done.AddRange(await operation(work));
            return reply;
        }
        finally
        {
            await node.Reconciler.LookAsync(context.CancellationToken);
        }
    }

    // What a person asks for is held to today's rules. What the master sends, it or an older one took at its own door, and it may move a
    // service that is older than a rule.
    private ServiceDefinition Wanted(DeployRequest request, ServerCallContext context)
    {
        if (AuthInterceptor.CallerOf(context).IsMaster && Sent(request) is { UnreadKeys.Count: 0 } sent)
            return sent;
        var service = ServiceFile.Parse(request.Definition, "service file");
        services.Hostnames.Check(service);
        if (!AuthInterceptor.CallerOf(context).IsMaster)
            Proxy.Hostnames.CheckAlone(service);
        var wanted = request.Node.Length > 0 ? Label.Parse(request.Node) : service.Node;
        return wanted is null || wanted == node.View.Name || AuthInterceptor.CallerOf(context).IsMaster
            ? service
            : throw new McpException(
                ErrorCode.DeployElsewhere,
                $"{service.Name} belongs on {wanted}, and this is {node.View.Name}",
                "ask the master, or that node");
    }

    // By the master. Null: this version cannot read it.
    private static ServiceDefinition? Sent(DeployRequest request) =>
        (RevisionMapping.Read(request.Revision) ?? Revision.Legacy(request.Definition)).TryRead();

    private CancellationToken Stopping => lifetime.ApplicationStopping;

    private Work Underway(Label service) => services.Locks.Of(service) ?? throw Cancellation.Nothing(service);

    private static McpException Unknown(string service) =>
        new(ErrorCode.ServiceUnknown, $"there is no service {service} on this node", "mcp list shows those that are");

    private static Label? Service(string text) => text.Length == 0 ? null : Label.Parse(text);

    private static Label? Component(string text) => text.Length == 0 ? null : Label.Parse(text);
}
