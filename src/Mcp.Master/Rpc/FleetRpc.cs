using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Mcp.Daemon.Identity;
using Mcp.Daemon.Operations;
using Mcp.Master.Deploy;
using Mcp.Master.Deploy.Steps;
using Mcp.Master.Nodes;
using Mcp.Master.Store;
using Mcp.Model.Definition;
using Mcp.Model.Deploy;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Model.Placement;
using Mcp.Protocol.Revisions;
using Mcp.Protocol.V1;

namespace Mcp.Master.Rpc;

/// <summary>The RPCs about services, for the whole fleet: what concerns one service goes to its node, what concerns all goes to
/// all.</summary>
internal sealed class FleetRpc(MasterParts master, IHostApplicationLifetime lifetime) : Protocol.V1.Agent.AgentBase
{
    private static readonly TimeSpan s_quick = TimeSpan.FromSeconds(10);

    // What waits for instances to end and to be well; the CLI's limit is longer.
    private static readonly TimeSpan s_slow = TimeSpan.FromMinutes(29);

    public override async Task Deploy(DeployRequest request, IServerStreamWriter<StepEvent> responseStream, ServerCallContext context)
    {
        var deployment = Wanted(request, context);
        var work = new Work(Work.Deploy, deployment.By ?? "") { Patience = context.CancellationToken };
        await StepStream.SendAsync(work, DeployAsync, responseStream, context.CancellationToken);

        async Task<StepEvent> DeployAsync()
        {
            await master.Deployer.CarryOutAsync(deployment, work, lifetime.ApplicationStopping);
            return new StepEvent();
        }
    }

    public override Task Attach(ServiceRequest request, IServerStreamWriter<StepEvent> responseStream, ServerCallContext context)
    {
        var caller = AuthInterceptor.CallerOf(context);
        return SeenWords.FollowedAsync(caller, () => AttachAsync(request, new SeenSteps(caller, responseStream), context));
    }

    private async Task AttachAsync(ServiceRequest request, IServerStreamWriter<StepEvent> responseStream, ServerCallContext context)
    {
        var service = Label.Parse(request.Service);
        if (master.Locks.Of(service) is { } work)
        {
            await StepStream.FollowAsync(work, responseStream, context.CancellationToken);
            return;
        }

        // What was begun with --direct.
        await ForwardAsync(
            Placed(request.Service).Home,
            agent => agent.Attach(request, cancellationToken: context.CancellationToken).ResponseStream,
            happened => responseStream.WriteAsync(happened, context.CancellationToken),
            context);
    }

    public override Task<UnderwayReply> Underway(ServiceRequest request, ServerCallContext context)
    {
        var service = Label.Parse(request.Service);
        return master.Locks.Of(service) is null && master.Store.Placements.Find(service) is { } there
            ? OnNodeAsync(there.Home, (agent, options) => agent.UnderwayAsync(request, options), s_quick, context)
            : Task.FromResult(Cancellation.Underway(master.Locks.Of(service)));
    }

    public override Task<OperationReply> Cancel(CancelRequest request, ServerCallContext context) =>
        master.Cancellation.CancelAsync(
            Label.Parse(request.Service),
            AuthInterceptor.CallerOf(context).Name,
            context.CancellationToken);

    public override async Task DeployPlanned(
        DeployRequest request,
        IServerStreamWriter<StepEvent> responseStream,
        ServerCallContext context)
    {
        // Before anything is written down; the agent looks again, when nobody else can change the service any more.
        var now = await Plan(request, context);
        if (now.Node.Length > 0 && now.Id.Length == 0)
            throw AgentStep.PlanUnsupported(Label.Parse(now.Node));
        // What can go nowhere is refused with the reason.
        if (now.Node.Length > 0 && now.Id != request.Plan)
            throw RolloutPlan.Changed(Wanted(request, context).Name);
        await Deploy(request, responseStream, context);
    }

    public override async Task<PlanReply> Plan(DeployRequest request, ServerCallContext context)
    {
        var wanted = Wanted(request, context);
        master.Deployer.Check(wanted.Service);
        var there = master.Store.Placements.Find(wanted.Name);
        var candidates = master.Nodes.Candidates();
        var decision = PlaceStep.Decide(
            wanted,
            there,
            candidates,
            await master.Images.OfAsync(wanted.Service, candidates, context.CancellationToken));
        if (decision.Node is { } chosen && await master.Place.RefusalAsync(wanted, there, chosen, context.CancellationToken) is { } refusal)
        {
            decision = new PlacementDecision(
                null,
                $"{refusal.Message}; {refusal.Hint}",
                [.. decision.Rejected, new Mcp.Model.Placement.RejectedNode(chosen, "data would stay behind")]);
        }

        var reply = decision.Node is null
            ? new PlanReply()
            : await OnNodeAsync(decision.Node, (agent, options) => agent.PlanAsync(request, options), s_quick, context);
        (reply.Node, reply.Why) = (decision.Node?.Text ?? "", decision.Why);
        reply.Rejected.AddRange(decision.Rejected.Select(r => new Protocol.V1.RejectedNode { Node = r.Node.Text, Why = r.Why }));
        return SeenPlan.By(AuthInterceptor.CallerOf(context), reply);
    }

    public override async Task<OperationReply> Undeploy(ServiceRequest request, ServerCallContext context)
    {
        var service = Label.Parse(request.Service);
        using var work = new Work("undeploy", AuthInterceptor.CallerOf(context).Name) { Patience = context.CancellationToken };
        var failed = await master.Undeployer.UndeployAsync(service, work, lifetime.ApplicationStopping);
        var reply = new OperationReply { Done = { $"removed {service} from the fleet" } };
        reply.Failed.AddRange(failed.Select(f => $"{f}; it is tried again by itself"));
        return reply;
    }

    public override Task<OperationReply> Start(ComponentRequest request, ServerCallContext context) =>
        OnHomeAsync(request.Service, (agent, options) => agent.StartAsync(request, options), s_slow, context);

    public override Task<OperationReply> Stop(ComponentRequest request, ServerCallContext context) =>
        OnHomeAsync(request.Service, (agent, options) => agent.StopAsync(request, options), s_slow, context);

    public override Task<OperationReply> Restart(ComponentRequest request, ServerCallContext context) =>
        OnHomeAsync(request.Service, (agent, options) => agent.RestartAsync(request, options), s_slow, context);

    public override async Task<StatusReply> Status(StatusRequest request, ServerCallContext context)
    {
        var caller = AuthInterceptor.CallerOf(context);
        var service = request.Service.Length == 0 ? null : Label.Parse(request.Service);
        return SeenWords.By(caller, await master.View.StatusAsync(service, context.CancellationToken));
    }

    public override Task<LiveCheckReply> LiveCheck(StatusRequest request, ServerCallContext context) =>
        master.View.LiveCheckAsync(request, context.CancellationToken);

    public override Task<SyncReply> Sync(SyncRequest request, ServerCallContext context) =>
        master.View.SyncAsync(request, context.CancellationToken);

    public override Task<OperationReply> Purge(PurgeRequest request, ServerCallContext context) =>
        master.View.EachAsync((agent, options) => agent.PurgeAsync(request, options), context.CancellationToken);

    public override async Task<OperationReply> Adopt(AdoptRequest request, ServerCallContext context)
    {
        var reply = await master.View.EachAsync((agent, options) => agent.AdoptAsync(request, options), context.CancellationToken);
        if (request.DryRun)
            return reply;
        // What runs somewhere and was never placed: deployed with --direct, or the master's database was lost.
        await master.Adopter.AdoptAsync(
            request.Service.Length == 0 ? null : Label.Parse(request.Service),
            reply,
            context.CancellationToken);
        return reply;
    }

    public override Task<ServiceReply> ShowService(ServiceRequest request, ServerCallContext context)
    {
        var placed = Placed(request.Service);
        // One that cannot be read is shown as it is.
        var text = placed.TryRead() is { } service ? ServiceFileWriter.Write(service) : placed.Revision.Body;
        return Task.FromResult(new ServiceReply { Definition = text, Revision = placed.Revision.ToWire() });
    }

    public override Task Logs(LogsRequest request, IServerStreamWriter<LogLine> responseStream, ServerCallContext context) =>
        new FleetLogs(master).SendAsync(request, responseStream, lifetime.ApplicationStopping, context.CancellationToken);

    public override Task PullFile(PullFileRequest request, IServerStreamWriter<FileChunk> responseStream, ServerCallContext context) =>
        ForwardAsync(
            Placed(request.Service).Seat,
            agent => agent.PullFile(request, cancellationToken: context.CancellationToken).ResponseStream,
            chunk => responseStream.WriteAsync(chunk, context.CancellationToken),
            context);

    public override async Task<PushFileReply> PushFile(IAsyncStreamReader<FileChunk> requestStream, ServerCallContext context)
    {
        var ct = context.CancellationToken;
        if (!await requestStream.MoveNext(ct))
            throw new McpException(ErrorCode.FilePath, "nothing was sent", "the first chunk names the service and the path");
        var home = Placed(requestStream.Current.Service).Seat;
        using var call = Agent(home).PushFile(master.Agents.Within(s_slow, ct));
        try
        {
            do
                await call.RequestStream.WriteAsync(requestStream.Current, ct);
            while (await requestStream.MoveNext(ct));
            await call.RequestStream.CompleteAsync();
        }
        catch (Exception e) when (e is RpcException or InvalidOperationException && !ct.IsCancellationRequested)
        {
            // The agent refused in the middle; its answer says why.
        }

        try
        {
            return await call.ResponseAsync;
        }
        catch (RpcException e) when (!ct.IsCancellationRequested)
        {
            throw AgentPool.Explain(home, e);
        }
    }

    public override Task Events(EventsRequest request, IServerStreamWriter<Event> responseStream, ServerCallContext context)
    {
        var caller = AuthInterceptor.CallerOf(context);
        return master.Events.SendAsync(
            request,
            e => responseStream.WriteAsync(SeenWords.By(caller, e), context.CancellationToken),
            lifetime.ApplicationStopping,
            context.CancellationToken);
    }

    public override Task<NodeStatusReply> NodeStatus(NodeStatusRequest request, ServerCallContext context) => request.Node.Length == 0
        ? throw new McpException(ErrorCode.NodeUnknown, "this is the master: name a node", "mcp node show NODE; mcp node list shows them")
        : OnNodeAsync(Label.Parse(request.Node), (agent, options) => agent.NodeStatusAsync(request, options), s_quick, context);

    public override Task<WhoAmIReply> WhoAmI(WhoAmIRequest request, ServerCallContext context)
    {
        var caller = AuthInterceptor.CallerOf(context);
        return Task.FromResult(new WhoAmIReply
        {
            Name = caller.Name,
            Role = caller.Role.ToString().ToLowerInvariant(),
            Expires = caller.Expires.ToTimestamp(),
            Node = $"{master.Config.Name} (master)",
            Master = true,
        });
    }

    public override Task<ImageArchitecturesReply> ImageArchitectures(ImageRequest request, ServerCallContext context) =>
        OnNodeAsync(
            (master.Nodes.Candidates().Find(c => c.Reachable)
                ?? throw new McpException(ErrorCode.NodeUnreachable, "no node is there to ask the registry", "mcp node list")).Node,
            (agent, options) => agent.ImageArchitecturesAsync(request, options),
            s_quick,
            context);

    public override Task<ListEdgeRoutesReply> ListEdgeRoutes(ListEdgeRoutesRequest request, ServerCallContext context) =>
        master.Routes.ListAsync(context.CancellationToken);

    public override Task<VolumesReply> ListVolumes(VolumesRequest request, ServerCallContext context) =>
        master.View.VolumesAsync(request, context.CancellationToken);

    public override async Task<OperationReply> RemoveVolume(VolumeRequest request, ServerCallContext context)
    {
        var node = request.Node.Length > 0
            ? Label.Parse(request.Node)
            : await master.View.WithVolumeAsync(Label.Parse(request.Service), request.Name, context.CancellationToken);
        return await OnNodeAsync(node, (agent, options) => agent.RemoveVolumeAsync(request, options), s_slow, context);
    }

    public override Task<ImagesReply> ListImages(ImagesRequest request, ServerCallContext context) =>
        master.View.ImagesAsync(request, context.CancellationToken);

    public override Task<PruneImagesReply> PruneImages(PruneImagesRequest request, ServerCallContext context) =>
        master.View.PruneImagesAsync(request, context.CancellationToken);

    // Which hostname goes where follows from the services.
    public override Task<EdgeRoute> SetupEdgeRoute(EdgeRouteRequest request, ServerCallContext context) =>
        throw new McpException(ErrorCode.EdgeMaster, "the master sets up edge routes by itself", "deploy a service with a public route");

    public override Task<OperationReply> RemoveEdgeRoute(EdgeRouteRequest request, ServerCallContext context) =>
        throw new McpException(
            ErrorCode.EdgeMaster,
            "the master removes edge routes by itself",
            "deploy the service without the public route, or undeploy it");

    // Not where a service moves: one that is older than a rule must be able to.
    private FleetDeployment Wanted(DeployRequest request, ServerCallContext context)
    {
        // A person or a token asks for it: with the rules of today.
        var service = ServiceFile.Parse(request.Definition, "service file");
        Model.Routes.ZoneNames.Check(master.Config.Zone.Text, service);
        return FleetDeployment.Of(service) with
        {
            Component = request.Component.Length == 0 ? null : Label.Parse(request.Component),
            MoveTo = request.Node.Length == 0 ? null : Label.Parse(request.Node),
            IfChanged = request.IfChanged,
            Force = request.Force,
            Pull = [.. request.Pull.Select(c => Label.Parse(c).Text).Distinct()],
            LeaveData = request.LeaveData,
            Plan = request.Plan.Length == 0 ? null : request.Plan,
            By = AuthInterceptor.CallerOf(context).Name,
        };
    }

    private Placement Placed(string service) =>
        master.Store.Placements.Find(Label.Parse(service)) ?? throw FleetLogs.Unknown(service);

    private Protocol.V1.Agent.AgentClient Agent(Label node) => master.Agents.Of(master.Nodes.Get(node));

    private Task<T> OnHomeAsync<T>(
        string service,
        Func<Protocol.V1.Agent.AgentClient, CallOptions, AsyncUnaryCall<T>> call,
        TimeSpan limit,
        ServerCallContext context) => OnNodeAsync(Placed(service).Seat, call, limit, context);

    private async Task<T> OnNodeAsync<T>(
        Label node,
        Func<Protocol.V1.Agent.AgentClient, CallOptions, AsyncUnaryCall<T>> call,
        TimeSpan limit,
        ServerCallContext context)
    {
        try
        {
            return await call(Agent(node), master.Agents.Within(limit, context.CancellationToken));
        }
        catch (RpcException e) when (!context.CancellationToken.IsCancellationRequested)
        {
            throw AgentPool.Explain(node, e);
        }
    }

    // No limit in time: a file may be long. A dead connection is noticed by its keep-alive.
    private async Task ForwardAsync<T>(
        Label node,
        Func<Protocol.V1.Agent.AgentClient, IAsyncStreamReader<T>> open,
        Func<T, Task> send,
        ServerCallContext context)
    {
        try
        {
            await foreach (var item in open(Agent(node)).ReadAllAsync(context.CancellationToken))
                await send(item);
        }
        catch (RpcException e) when (!context.CancellationToken.IsCancellationRequested)
        {
            throw AgentPool.Explain(node, e);
        }
    }
}
