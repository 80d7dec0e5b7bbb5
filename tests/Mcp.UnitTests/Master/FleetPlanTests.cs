using Grpc.Core;
using Mcp.Daemon.Identity;
using Mcp.Daemon.Operations;
using Mcp.Master.Rpc;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Protocol.V1;
using Microsoft.Extensions.Hosting;

namespace Mcp.UnitTests.Master;

/// <summary>A plan that was agreed to, through the master: the same id, and nothing else is done.</summary>
public sealed class FleetPlanTests : FaultyFleet
{
    private static readonly Label s_blog = Label.Parse("blog");

    [Fact]
    public async Task The_master_tells_the_agents_own_plan_and_a_deploy_with_its_id_does_it()
    {
        using var world = World(Fresh());
        var rpc = Rpc(world);
        var request = new DeployRequest { Definition = MasterWorld.File("blog") };
        var plan = await rpc.Plan(request, new Call(Role.Deployer));
        Assert.Equal(Agents["alder"].Plan(ServiceFile.Parse(request.Definition, "test"), request).Id, plan.Id);
        Assert.NotEmpty(plan.Changes[0].Fields);
        await rpc.DeployPlanned(new DeployRequest(request) { Plan = plan.Id }, new Steps(), new Call(Role.Deployer));
        ServesAt(world, "blog", "alder", "v1");
    }

    [Fact]
    public async Task What_has_changed_since_is_refused_before_anything_is_written_down()
    {
        using var world = World(Fresh());
        var rpc = Rpc(world);
        var request = new DeployRequest { Definition = MasterWorld.File("blog") };
        request.Plan = (await rpc.Plan(request, new Call(Role.Deployer))).Id;
        await RefusedAsync(rpc, new DeployRequest(request) { Definition = MasterWorld.File("blog", "v2") });
        // The same there, but elsewhere.
        await RefusedAsync(rpc, new DeployRequest(request) { Node = "beech" });
        Assert.Null(world.Store.Placements.Find(s_blog));
        Assert.Empty(world.Store.Events.After(0, 10));
        await world.DeployAsync(MasterWorld.File("blog"));
        await RefusedAsync(rpc, request);
        Assert.Equal(1, Agents["alder"].Deploys);
    }

    [Fact]
    public async Task The_agent_has_the_last_word_and_the_service_stays_what_it_was()
    {
        using var world = World(Fresh());
        await world.DeployAsync(MasterWorld.File("blog"));
        var state = MasterWorld.Deployment(MasterWorld.File("blog", "v2")) with { Plan = "0123456789abcdef" };
        var refused = await Assert.ThrowsAsync<StepFailedException>(() => world.Node.Deployer.DeployAsync(state, null, default));
        Assert.Equal(("deploy", ErrorCode.PlanChanged), (refused.Step, refused.Reason.Code));
        ServesAt(world, "blog", "alder", "v1");
        // Of one that was nowhere nothing is left, either.
        var fresh = MasterWorld.Deployment(MasterWorld.File("shop")) with { Plan = "0123456789abcdef" };
        await Assert.ThrowsAsync<StepFailedException>(() => world.Node.Deployer.DeployAsync(fresh, null, default));
        Assert.Null(world.Store.Placements.Find(Label.Parse("shop")));
    }

    [Fact]
    public async Task An_agent_that_knows_no_plans_is_asked_for_nothing()
    {
        using var world = World(Fresh());
        Agents["alder"].IsOld = Agents["beech"].IsOld = true;
        var rpc = Rpc(world);
        var request = new DeployRequest { Definition = MasterWorld.File("blog"), Plan = "0123456789abcdef" };
        var told = await Assert.ThrowsAsync<McpException>(() => rpc.DeployPlanned(request, new Steps(), new Call(Role.Deployer)));
        Assert.Equal(ErrorCode.PlanUnsupported, told.Code);
        // Nor where the master finds out at the last moment.
        var state = MasterWorld.Deployment(request.Definition) with { Plan = request.Plan };
        var refused = await Assert.ThrowsAsync<StepFailedException>(() => world.Node.Deployer.DeployAsync(state, null, default));
        Assert.Equal(ErrorCode.PlanUnsupported, refused.Reason.Code);
        Assert.Null(world.Store.Placements.Find(s_blog));
        Assert.All(Agents.All, a => Assert.Equal(0, a.Deploys));
    }

    [Fact]
    public async Task Whoever_may_only_look_sees_which_keys_change_and_not_what_they_were()
    {
        using var world = World(Fresh());
        await world.DeployAsync(MasterWorld.File("blog"));
        var request = new DeployRequest { Definition = MasterWorld.File("blog", "v2") };
        var plan = await Rpc(world).Plan(request, new Call(Role.Viewer));
        var field = Assert.Single(plan.Changes[0].Fields);
        Assert.Equal(("image", "(hidden)", "example.com/hello:v2", ""), (field.Path, field.Old, field.New, plan.Id));
        Assert.NotEqual("(hidden)", (await Rpc(world).Plan(request, new Call(Role.Deployer))).Changes[0].Fields[0].Old);
    }

    private static FleetRpc Rpc(MasterWorld world) => new(world.Node, new Running());

    private static async Task RefusedAsync(FleetRpc rpc, DeployRequest request)
    {
        var refused = await Assert.ThrowsAsync<McpException>(() => rpc.DeployPlanned(request, new Steps(), new Call(Role.Deployer)));
        Assert.Equal(ErrorCode.PlanChanged, refused.Code);
    }

    private sealed class Running : IHostApplicationLifetime
    {
        public CancellationToken ApplicationStarted => default;

        public CancellationToken ApplicationStopping => default;

        public CancellationToken ApplicationStopped => default;

        public void StopApplication()
        {
        }
    }

    private sealed class Steps : IServerStreamWriter<StepEvent>
    {
        public WriteOptions? WriteOptions { get; set; }

        public Task WriteAsync(StepEvent message) => Task.CompletedTask;

        public Task WriteAsync(StepEvent message, CancellationToken cancellationToken) => Task.CompletedTask;
    }

    // A call of somebody with that role.
    private sealed class Call(Role role) : ServerCallContext
    {
        protected override string MethodCore => "";

        protected override string HostCore => "";

        protected override string PeerCore => "";

        protected override DateTime DeadlineCore => DateTime.MaxValue;

        protected override Metadata RequestHeadersCore => [];

        protected override CancellationToken CancellationTokenCore => default;

        protected override Metadata ResponseTrailersCore => [];

        protected override Status StatusCore { get; set; }

        protected override WriteOptions? WriteOptionsCore { get; set; }

        protected override AuthContext AuthContextCore => new("", []);

        protected override IDictionary<object, object> UserStateCore { get; } =
            new Dictionary<object, object> { ["mcp-caller"] = new Caller("somebody", role, DateTimeOffset.MaxValue) };

        protected override ContextPropagationToken CreatePropagationTokenCore(ContextPropagationOptions? options) =>
            throw new NotSupportedException();

        protected override Task WriteResponseHeadersAsyncCore(Metadata responseHeaders) => Task.CompletedTask;
    }
}
