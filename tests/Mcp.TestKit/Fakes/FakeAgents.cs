using System.Collections.Concurrent;
using System.Net;
using Google.Protobuf;
using Grpc.Core;
using Mcp.Daemon.Errors;
using Mcp.Daemon.Identity;
using Mcp.Daemon.Lifecycle;
using Mcp.Model.Definition;
using Mcp.Model.Deploy;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Model.Revisions;
using Mcp.Protocol.Revisions;
using Mcp.Protocol.V1;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace Mcp.TestKit.Fakes;

/// <summary>Agents without machines: real gRPC servers over TLS on loopback, one process and one port each, that keep services in memory.
/// For tests of the master's decisions and for fleets of a thousand.</summary>
public sealed class FakeAgents : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly Dictionary<int, FakeAgent> _byPort;

    private FakeAgents(WebApplication app, Dictionary<int, FakeAgent> byPort) => (_app, _byPort) = (app, byPort);

    public FakeAgent this[string name] => All.Single(a => a.Name == name);

    public IReadOnlyCollection<FakeAgent> All => _byPort.Values;

    public static async Task<FakeAgents> StartAsync(IReadOnlyList<string> names, CertificateAuthority authority)
    {
        var builder = Bare.Builder();
        builder.Services.AddRouting();
        builder.WebHost.UseKestrelHttpsConfiguration();
        var listens = new List<(FakeAgent Agent, ListenOptions Listen)>();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            foreach (var name in names)
            {
                var own = authority.IssuePeer(
                    new PeerName(Label.Parse(name), false),
                    ["127.0.0.1"],
                    TimeProvider.System.GetUtcNow(),
                    TimeSpan.FromDays(1));
                kestrel.Listen(IPAddress.Loopback, 0, listen =>
                {
                    listen.Protocols = HttpProtocols.Http2;
                    listen.UseHttps(https => https.ServerCertificateSelector = (_, _) => own);
                    listens.Add((new FakeAgent(name), listen));
                });
            }
        });
        var byPort = new Dictionary<int, FakeAgent>();
        builder.Services.AddSingleton<IReadOnlyDictionary<int, FakeAgent>>(byPort);
        builder.Services.AddGrpc(grpc => grpc.Interceptors.Add<Refusals>());
        var app = builder.Build();
        app.MapGrpcService<FakeAgentRpc>();
        await app.StartAsync();
        foreach (var (agent, listen) in listens)
        {
            agent.Port = listen.IPEndPoint!.Port;
            byPort[agent.Port] = agent;
        }

        return new FakeAgents(app, byPort);
    }

    public async ValueTask DisposeAsync()
    {
        using var atOnce = new CancellationTokenSource(TimeSpan.FromMilliseconds(50));
        await _app.StopAsync(atOnce.Token);
        await _app.DisposeAsync();
    }

    // Errors as real agents send them.
    private sealed class Refusals : Grpc.Core.Interceptors.Interceptor
    {
        public override Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
            TRequest request,
            ServerCallContext context,
            UnaryServerMethod<TRequest, TResponse> continuation) => MapAsync(() => continuation(request, context));

        public override Task ServerStreamingServerHandler<TRequest, TResponse>(
            TRequest request,
            IServerStreamWriter<TResponse> responseStream,
            ServerCallContext context,
            ServerStreamingServerMethod<TRequest, TResponse> continuation) => MapAsync(async () =>
        {
            await continuation(request, responseStream, context);
            return true;
        });

        private static async Task<T> MapAsync<T>(Func<Task<T>> call)
        {
            try
            {
                return await call();
            }
            catch (McpException e)
            {
                throw Refusal.Of(e);
            }
        }
    }
}

/// <summary>One of them: what it has, and how it is to misbehave.</summary>
public sealed class FakeAgent(string name)
{
    public string Name => name;

    public int Port { get; internal set; }

    public string Address => $"127.0.0.1:{Port}";

    /// <summary>By name, as deployed.</summary>
    public ConcurrentDictionary<string, Revision> Services { get; } = new();

    /// <summary>Named volumes, as SERVICE/NAME.</summary>
    public ConcurrentDictionary<string, Volume> Volumes { get; } = new();

    /// <summary>Images that it has.</summary>
    public List<NodeImage> Held { get; } = [];

    /// <summary>Public hostnames that it lets in, as an edge node.</summary>
    public ConcurrentDictionary<string, EdgeRoute> Routes { get; } = new();

    /// <summary>Where it ends TLS for edge nodes.</summary>
    public int OverlayPort { get; set; } = 8444;

    /// <summary>The number of the last release here.</summary>
    public long Release { get; set; }

    /// <summary>How many deploys it has done here, whatever was there already.</summary>
    public int Deploys { get; set; }

    /// <summary>The numbers of the master's requests, in the order in which they came.</summary>
    public ConcurrentQueue<(long Sequence, DatabaseStanding? Standing)> Numbers { get; } = new();

    /// <summary>The deploys that are watched just now, for whoever takes one back.</summary>
    internal ConcurrentDictionary<string, TaskCompletionSource<string>> Cancelled { get; } = new();

    /// <summary>Called before and after each side effect and before each answer: deploy, deployed, watch, undeploy, undeployed, show,
    /// status, route, routed, unroute, unrouted. May throw, wait, or never return.</summary>
    public Func<string, CancellationToken, Task> Hook { get; set; } = (_, _) => Task.CompletedTask;

    /// <summary>What it says of a service's definition instead of the truth; null: the truth.</summary>
    public Revision? Lie { get; set; }

    /// <summary>What it says of all its services instead of the truth; null: the truth.</summary>
    public StatusReply? Told { get; set; }

    /// <summary>What it tells in a deploy before its end.</summary>
    public Func<IServerStreamWriter<StepEvent>, CancellationToken, Task> Telling { get; set; } = (_, _) => Task.CompletedTask;

    /// <summary>It says when a service serves, and watches over it before it ends the deploy.</summary>
    public bool Watches { get; set; }

    /// <summary>It is of version 0.2: it knows no ids of plans, and definitions are service files.</summary>
    public bool IsOld { get; set; }

    /// <summary>What kind of machine it is on.</summary>
    public string Architecture { get; set; } = "amd64";

    /// <summary>Which machines images are there for, as it hears it from their registries.</summary>
    public ConcurrentDictionary<string, string[]> Images { get; } = new();

    public NodeStatusReply Facts => new()
    {
        Node = name,
        Version = "0.1.0",
        Architecture = Architecture,
        Cpus = 4,
        MemoryBytes = 8L << 30,
        MemoryFreeBytes = 4L << 30,
        DiskBytes = 100L << 30,
        DiskFreeBytes = 50L << 30,
        Services = Services.Count,
        Proxy = true,
        Edge = true,
        Overlay = $"127.0.0.1:{OverlayPort}",
        Runtimes = { new RuntimeStatus { Name = "podman", Usable = true, Version = "4.3.1" } },
    };

    /// <param name="service">Empty: all.</param>
    public StatusReply Status(string service)
    {
        var reply = new StatusReply { Node = name };
        foreach (var (key, revision) in Services.Where(s => service.Length == 0 || s.Key == service)
            .OrderBy(s => s.Key, StringComparer.Ordinal))
            reply.Components.AddRange((revision.TryRead()?.Components ?? []).Select(c => Status(key, c)));
        return reply;
    }

    private static ComponentStatus Status(string service, ComponentDefinition component) => new()
    {
        Service = service,
        Component = component.Name.Text,
        Image = component.Image.Text,
        Runtime = "container",
        Generation = 1,
        Desired = "running",
        Observed = "running",
        Since = s_since,
        Routes =
        {
            new RouteStatus
            {
                Name = "http",
                Mode = "l7",
                Port = 8080,
                HostPort = 20000,
                Hostname = component.Routes is [{ Hostname: { } hostname }, ..] ? hostname.Text : "",
                Public = component.Routes is [{ Public: true }, ..],
            },
        },
    };

    /// <summary>By the real planner; everything that it has is generation 1.</summary>
    public RolloutPlan Plan(ServiceDefinition wanted, DeployRequest request)
    {
        var there = Services.TryGetValue(wanted.Name.Text, out var kept) ? kept.TryRead() : null;
        var components = (there?.Components ?? []).Select(c => new CurrentComponent(c, 1, Wanted: true, Runs: true));
        var only = request.Component.Length == 0 ? null : Label.Parse(request.Component);
        return new Planner(string.Equals, new VolumeRoot("/volumes")).Plan(
            new RolloutRequest(wanted, only, request.Force),
            new CurrentService(Label.Parse(name), there, [.. components], new Dictionary<Label, int>()));
    }

    private static readonly Google.Protobuf.WellKnownTypes.Timestamp s_since = Google.Protobuf.WellKnownTypes.Timestamp.FromDateTimeOffset(TimeProvider.System.GetUtcNow());
}

internal sealed class FakeAgentRpc(IReadOnlyDictionary<int, FakeAgent> agents) : Agent.AgentBase
{
    public override async Task Deploy(DeployRequest request, IServerStreamWriter<StepEvent> responseStream, ServerCallContext context)
    {
        var agent = Of(context);
        // What the master sends again has been checked with the rules of its day.
        var wanted = request.Sequence != 0 ? Sent(agent, request) : Revision.Of(ServiceFile.Parse(request.Definition, "service file"));
        var service = wanted.TryRead()!.Name.Text;
        agent.Numbers.Enqueue((request.Sequence, request.Standing));
        await agent.Hook("deploy", context.CancellationToken);
        await agent.Telling(responseStream, context.CancellationToken);
        var before = agent.Services.GetValueOrDefault(service);
        var changes = request.Force || !wanted.Equals(agent.Services.GetValueOrDefault(service));
        if (changes || !request.IfChanged)
        {
            agent.Services[service] = wanted;
            agent.Deploys++;
        }

        await agent.Hook("deployed", context.CancellationToken);
        if (agent.Watches && changes)
            await WatchedAsync(agent, service, before, responseStream, context.CancellationToken);
        var finished = new StepEvent { Kind = StepEvent.Types.Kind.Finished };
        if (!agent.IsOld)
        {
            finished.Revision = (agent.Lie ?? agent.Services[service]).ToWire();
            finished.Release = agent.Release = changes ? Math.Max(agent.Release + 1, request.Release) : agent.Release;
            finished.Unchanged = !changes;
        }

        await responseStream.WriteAsync(finished);
    }

    public override Task Attach(ServiceRequest request, IServerStreamWriter<StepEvent> responseStream, ServerCallContext context) =>
        throw Nothing(request.Service);

    public override async Task<OperationReply> Cancel(CancelRequest request, ServerCallContext context)
    {
        if (!Of(context).Cancelled.TryRemove(request.Service, out var cancelled))
            throw Nothing(request.Service);
        cancelled.SetResult(request.By);
        // As a real one, which answers when it is undone.
        await Task.Delay(50, context.CancellationToken);
        return new OperationReply { Done = { $"cancelled {request.Service}" } };
    }

    // What fails or is taken back now is undone.
    private static async Task WatchedAsync(
        FakeAgent agent,
        string service,
        Revision? before,
        IServerStreamWriter<StepEvent> output,
        CancellationToken ct)
    {
        await output.WriteAsync(new StepEvent { Kind = StepEvent.Types.Kind.Serving, Step = "switch" }, ct);
        var cancelled = agent.Cancelled[service] = new TaskCompletionSource<string>();
        try
        {
            var watch = agent.Hook("watch", ct);
            if (await Task.WhenAny(watch, cancelled.Task) == cancelled.Task)
                throw new McpException(ErrorCode.OperationCancelled, $"cancelled by {await cancelled.Task}");
            await watch;
        }
        catch (McpException)
        {
            if (before is null)
                agent.Services.TryRemove(service, out _);
            else
                agent.Services[service] = before;
            throw;
        }
        finally
        {
            agent.Cancelled.TryRemove(service, out _);
        }
    }

    private static McpException Nothing(string service) =>
        new(ErrorCode.OperationNone, $"nothing is being done with {service} just now");

    public override async Task DeployPlanned(
        DeployRequest request,
        IServerStreamWriter<StepEvent> responseStream,
        ServerCallContext context)
    {
        if (Of(context).IsOld)
            throw new RpcException(new Status(StatusCode.Unimplemented, ""));
        Of(context).Plan(Sent(Of(context), request).TryRead()!, request).Expect(request.Plan);
        await Deploy(request, responseStream, context);
    }

    public override Task<PlanReply> Plan(DeployRequest request, ServerCallContext context)
    {
        var plan = Of(context).Plan(ServiceFile.Parse(request.Definition, "service file"), request);
        var reply = new PlanReply { Id = Of(context).IsOld ? "" : plan.Id };
        foreach (var change in plan.Changes)
        {
            var planned = new PlannedChange
            {
                Component = change.Component.Text,
                Action = change.Kind.ToString().ToLowerInvariant(),
                Detail = change.Why,
            };
            planned.Fields.AddRange(change.Fields.Select(f => new ChangedField { Path = f.Path, Old = f.Old, New = f.New }));
            reply.Changes.Add(planned);
        }

        return Task.FromResult(reply);
    }

    public override async Task<OperationReply> Undeploy(ServiceRequest request, ServerCallContext context)
    {
        var agent = Of(context);
        agent.Numbers.Enqueue((request.Sequence, request.Standing));
        await agent.Hook("undeploy", context.CancellationToken);
        var there = agent.Services.TryRemove(request.Service, out _);
        await agent.Hook("undeployed", context.CancellationToken);
        return there
            ? new OperationReply { Done = { $"removed {request.Service}" } }
            : throw new McpException(ErrorCode.ServiceUnknown, $"there is no service {request.Service} on this node");
    }

    public override async Task<VolumesReply> ListVolumes(VolumesRequest request, ServerCallContext context)
    {
        var agent = Of(context);
        await agent.Hook("volumes", context.CancellationToken);
        var reply = new VolumesReply();
        reply.Volumes.AddRange(agent.Volumes.Values.Where(v => request.Service.Length == 0 || v.Service == request.Service));
        return reply;
    }

    public override Task<OperationReply> RemoveVolume(VolumeRequest request, ServerCallContext context) =>
        Of(context).Volumes.TryRemove($"{request.Service}/{request.Name}", out _)
            ? Task.FromResult(new OperationReply { Done = { $"removed the volume {request.Service}/{request.Name} with its data" } })
            : throw new McpException(ErrorCode.VolumeUnknown, $"service {request.Service} has no volume {request.Name} on this node");

    public override async Task<ImagesReply> ListImages(ImagesRequest request, ServerCallContext context)
    {
        var agent = Of(context);
        await agent.Hook("images", context.CancellationToken);
        var reply = new ImagesReply();
        reply.Images.AddRange(agent.Held);
        return reply;
    }

    public override Task<PruneImagesReply> PruneImages(PruneImagesRequest request, ServerCallContext context)
    {
        var agent = Of(context);
        var loose = agent.Held.Where(i => i.UsedBy.Count == 0).ToList();
        if (!request.DryRun)
            agent.Held.RemoveAll(loose.Contains);
        var reply = new PruneImagesReply { Bytes = loose.Sum(i => i.Bytes) };
        reply.Images.AddRange(loose);
        return Task.FromResult(reply);
    }

    public override async Task<ServiceReply> ShowService(ServiceRequest request, ServerCallContext context)
    {
        var agent = Of(context);
        await agent.Hook("show", context.CancellationToken);
        var kept = agent.Lie ?? agent.Services.GetValueOrDefault(request.Service)
            ?? throw new McpException(ErrorCode.ServiceUnknown, $"there is no service {request.Service} on this node");
        return new ServiceReply
        {
            Definition = kept.TryRead() is { } service ? ServiceFileWriter.Write(service) : kept.Body,
            Revision = agent.IsOld ? ByteString.Empty : kept.ToWire(),
        };
    }

    public override async Task<StatusReply> Status(StatusRequest request, ServerCallContext context)
    {
        var agent = Of(context);
        await agent.Hook("status", context.CancellationToken);
        var reply = agent.Told ?? agent.Status(request.Service);
        return request.Service.Length > 0 && reply.Components.Count == 0
            ? throw new McpException(ErrorCode.ServiceUnknown, $"there is no service {request.Service} on this node")
            : reply;
    }

    public override Task<NodeStatusReply> NodeStatus(NodeStatusRequest request, ServerCallContext context) =>
        Task.FromResult(Of(context).Facts);

    public override Task<ImageArchitecturesReply> ImageArchitectures(ImageRequest request, ServerCallContext context) =>
        Of(context).Images.TryGetValue(request.Image, out var known)
            ? Task.FromResult(new ImageArchitecturesReply { Architectures = { known } })
            : throw new McpException(ErrorCode.ImageArchitectures, $"cannot ask for the architectures of {request.Image}");

    public override async Task<EdgeRoute> SetupEdgeRoute(EdgeRouteRequest request, ServerCallContext context)
    {
        var agent = Of(context);
        agent.Numbers.Enqueue((request.Sequence, request.Standing));
        await agent.Hook("route", context.CancellationToken);
        var route = new EdgeRoute
        {
            Hostname = request.Hostname,
            Service = request.Service,
            Backend = request.Backend,
            Node = agent.Name,
            Certificate = new EdgeCertificate
            {
                Source = "memory",
                Expires = Google.Protobuf.WellKnownTypes.Timestamp.FromDateTimeOffset(DateTimeOffset.UnixEpoch.AddYears(100)),
            },
        };
        agent.Routes[request.Hostname] = route;
        await agent.Hook("routed", context.CancellationToken);
        return route;
    }

    public override async Task<OperationReply> RemoveEdgeRoute(EdgeRouteRequest request, ServerCallContext context)
    {
        var agent = Of(context);
        agent.Numbers.Enqueue((request.Sequence, request.Standing));
        await agent.Hook("unroute", context.CancellationToken);
        if (agent.Routes.TryGetValue(request.Hostname, out var there) && there.Service == request.Service)
            agent.Routes.TryRemove(request.Hostname, out _);
        await agent.Hook("unrouted", context.CancellationToken);
        return new OperationReply();
    }

    public override async Task<ListEdgeRoutesReply> ListEdgeRoutes(ListEdgeRoutesRequest request, ServerCallContext context)
    {
        var agent = Of(context);
        await agent.Hook("routes", context.CancellationToken);
        return new ListEdgeRoutesReply { Routes = { agent.Routes.Values } };
    }

    private static Revision Sent(FakeAgent agent, DeployRequest request) =>
        agent.IsOld ? Revision.Legacy(request.Definition) : RevisionMapping.Read(request.Revision)!;

    private FakeAgent Of(ServerCallContext context) => agents[context.GetHttpContext().Connection.LocalPort];
}
