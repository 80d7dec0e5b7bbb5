using CsCheck;
using Mcp.Model.Definition;
using Mcp.Model.Names;
using Mcp.Model.Placement;

namespace Mcp.UnitTests.Placement;

public sealed class PlacerTests
{
    private static readonly HashSet<RuntimeKind> s_all = [RuntimeKind.Container, RuntimeKind.Microvm, RuntimeKind.Unikernel];
    private static readonly HashSet<Tier> s_workers = [Tier.Worker];
    private static readonly HashSet<Tier> s_cores = [Tier.Core];
    private static readonly Candidate s_node = new(Label.Parse("alder"), s_workers, true, false, "amd64", s_all, 1000, 0);

    private static readonly Gen<Candidate> s_candidates = Gen.Select(
        Gen.Int[0, 40],
        Gen.Bool,
        Gen.Bool,
        Gen.Bool,
        Gen.Bool,
        Gen.Bool.Select(b => b ? "amd64" : "arm64"),
        Gen.Long[0, 2000],
        Gen.Int[0, 5])
        .Select((name, core, reachable, cordoned, vms, architecture, memory, services) => new Candidate(
            Label.Parse($"n{name}"),
            core ? s_cores : s_workers,
            reachable,
            cordoned,
            architecture,
            vms ? s_all : [RuntimeKind.Container],
            memory,
            services));

    private static readonly Gen<List<Candidate>> s_fleets = s_candidates.List[0, 30].Select(f => f.DistinctBy(n => n.Node).ToList());

    [Fact]
    public void The_chosen_node_can_run_it_and_no_other_that_can_comes_before_it() => Gen.Select(
        s_fleets,
        Gen.Bool,
        Gen.Bool).Sample((fleet, vm, core) =>
    {
        var service = Service(vm ? "microvm" : "container", 500, core ? "core" : "worker");
        var decision = Placer.Place(new PlacementRequest(service, new HashSet<string> { "amd64" }), fleet);
        bool Can(Candidate n) =>
            n is { Reachable: true, Cordoned: false, Architecture: "amd64", MemoryFreeMb: >= 500 }
                && n.Tiers.Contains(service.Tier)
                && n.Runtimes.Contains(service.Components[0].Runtime);
        var able = fleet.Where(Can).OrderBy(n => n.Services).ThenBy(n => n.Node.Text, StringComparer.Ordinal).ToList();
        return decision.Node == able.FirstOrDefault()?.Node
            && decision.Rejected.Select(r => r.Node).ToHashSet().SetEquals(fleet.Where(n => !Can(n)).Select(n => n.Node))
            && decision.Rejected.All(r => r.Why.Length > 0) && decision.Why.Length > 0;
    });

    [Fact]
    public void The_order_in_which_nodes_are_named_does_not_matter() => s_fleets.Sample(fleet =>
        Placer.Place(
            new PlacementRequest(Service()),
            fleet) is var a && Placer.Place(new PlacementRequest(Service()), [.. fleet.AsEnumerable().Reverse()]) is var b
            && a.Node == b.Node && a.Why == b.Why && a.Rejected.SequenceEqual(b.Rejected));

    [Fact]
    public void A_placed_service_stays_however_full_or_cordoned_its_node_is_and_is_not_doubled_when_that_is_away() => s_fleets.Sample(fleet =>
    {
        var home = s_node with { Services = 100, MemoryFreeMb = 0, Cordoned = true };
        var request = new PlacementRequest(Service(), Current: home.Node);
        return Placer.Place(request, [.. fleet, home]).Node == home.Node
            && Placer.Place(request, [.. fleet, home with { Reachable = false }]).Node is null;
    });

    [Fact]
    public void A_service_whose_node_is_gone_for_good_is_placed_anew() =>
        Assert.Equal(s_node.Node, Placer.Place(new PlacementRequest(Service(), Current: Label.Parse("gone")), [s_node]).Node);

    [Fact]
    public void An_operators_wish_beats_the_files_which_beats_the_tier()
    {
        var (core, worker) = (s_node with { Node = Label.Parse("core1"), Tiers = s_cores }, s_node);
        var pinned = Service() with { Node = core.Node };
        Assert.Equal(core.Node, Placer.Place(new PlacementRequest(pinned, Current: worker.Node), [worker, core]).Node);
        Assert.Equal(worker.Node, Placer.Place(new PlacementRequest(pinned, MoveTo: worker.Node), [worker, core]).Node);
    }

    [Theory]
    [InlineData("nowhere", "there is no node nowhere; there are alder")]
    [InlineData("alder", "alder was asked for and cannot run it: has 1000 MiB of memory free, and 5000 are asked for")]
    public void A_wish_that_cannot_be_granted_says_why(string node, string why) =>
        Assert.Equal(
            (null, why),
            (Placer.Place(new PlacementRequest(Service(memory: 5000), MoveTo: Label.Parse(node)), [s_node]) is var d
                ? d.Node
                : null, d.Why));

    [Fact]
    public void With_no_node_fit_all_reasons_are_given()
    {
        var decision = Placer.Place(
            new PlacementRequest(Service("unikernel"), new HashSet<string> { "arm64" }),
            [
                s_node,
                s_node with { Node = Label.Parse("beech"), Reachable = false },
                s_node with { Node = Label.Parse("cedar"), Tiers = s_cores },
                s_node with { Node = Label.Parse("dogwood"), Cordoned = true },
                s_node with { Node = Label.Parse("elm"), Runtimes = new HashSet<RuntimeKind> { RuntimeKind.Container } },
            ]);
        Assert.Equal(
            "no node can run it: alder: is amd64, and the images are for arm64; beech: unreachable; cedar: is not for the tier worker; "
                + "dogwood: cordoned; elm: cannot run unikernel",
            decision.Why);
    }

    [Fact]
    public void What_is_chosen_says_why()
    {
        var fleet = new[]
        {
            s_node with { Services = 5 },
            s_node with { Node = Label.Parse("beech"), Services = 3 },
            s_node with { Node = Label.Parse("cedar"), Services = 4 },
            s_node with { Node = Label.Parse("dogwood"), Reachable = false },
        };
        Assert.Equal("fewest services (3) of 3 nodes that can run it", Placer.Place(new PlacementRequest(Service()), fleet).Why);
        Assert.Equal("it is there already", Placer.Place(new PlacementRequest(Service(), Current: s_node.Node), [s_node]).Why);
        Assert.Equal("its file says so", Placer.Place(new PlacementRequest(Service() with { Node = s_node.Node }), [s_node]).Why);
        Assert.Equal("as asked", Placer.Place(new PlacementRequest(Service(), MoveTo: s_node.Node), [s_node]).Why);
    }

    [Fact]
    public void A_service_whose_node_does_not_do_is_not_moved_by_itself_and_the_operator_is_told_how()
    {
        var decision = Placer.Place(
            new PlacementRequest(Service(), Current: s_node.Node),
            [s_node with { Reachable = false }, s_node with { Node = Label.Parse("beech") }]);
        Assert.Equal(
            (null, "it is on alder, which cannot run it now: unreachable; to move it: mcp deploy --node NODE"),
            (decision.Node, decision.Why));
    }

    [Fact]
    public void Without_any_node_this_is_the_reason()
    {
        Assert.Equal("there are no nodes", Placer.Place(new PlacementRequest(Service()), []).Why);
        Assert.Equal(
            "there is no node alder; there are none",
            Placer.Place(new PlacementRequest(Service(), MoveTo: s_node.Node), []).Why);
        Assert.Equal(
            "there is no node nowhere; there are alder, beech",
            Placer.Place(
                new PlacementRequest(Service(), MoveTo: Label.Parse("nowhere")),
                [s_node with { Node = Label.Parse("beech") }, s_node]).Why);
    }

    [Fact]
    public void Who_names_a_node_means_it_whatever_its_tier_but_not_one_that_gets_nothing_new()
    {
        var core = s_node with { Tiers = s_cores };
        Assert.Equal(core.Node, Placer.Place(new PlacementRequest(Service(), MoveTo: core.Node), [core]).Node);
        Assert.Equal(
            "alder was asked for and cannot run it: cordoned",
            Placer.Place(new PlacementRequest(Service(), MoveTo: s_node.Node), [s_node with { Cordoned = true }]).Why);
    }

    [Fact]
    public void All_that_a_node_cannot_run_and_all_that_the_images_are_for_is_named()
    {
        var service = Service() with
        {
            Components = [Component("container"), Component("microvm"), Component("unikernel"), Component("microvm")],
        };
        var bare = s_node with { Runtimes = new HashSet<RuntimeKind> { RuntimeKind.Container } };
        Assert.Equal(
            "no node can run it: alder: cannot run microvm, unikernel",
            Placer.Place(new PlacementRequest(service), [bare]).Why);
        Assert.Equal(
            "no node can run it: alder: is amd64, and the images are for arm64, riscv64",
            Placer.Place(new PlacementRequest(Service(), new HashSet<string> { "riscv64", "arm64" }), [s_node]).Why);
    }

    [Theory]
    // A container that asks for nothing needs no room; a VM gets 256 MiB.
    [InlineData("container", null, 0, true)]
    [InlineData("microvm", null, 511, false)]
    [InlineData("microvm", null, 512, true)]
    [InlineData("unikernel", null, 511, false)]
    // Two components of 300.
    [InlineData("container", 300, 599, false)]
    [InlineData("container", 300, 600, true)]
    public void A_node_has_room_for_all_components_together(string runtime, int? memory, long free, bool fits)
    {
        var service = Service() with { Components = [Component(runtime, memory), Component(runtime, memory)] };
        var decision = Placer.Place(new PlacementRequest(service), [s_node with { MemoryFreeMb = free }]);
        Assert.Equal(fits, decision.Node is not null);
        Assert.Equal(fits ? 0 : 1, decision.Rejected.Count);
    }

    [Fact]
    public void A_service_that_is_there_already_needs_no_room_also_where_it_is_asked_for() =>
        Assert.Equal(
            s_node.Node,
            Placer.Place(
                new PlacementRequest(Service(), Current: s_node.Node, MoveTo: s_node.Node),
                [s_node with { MemoryFreeMb = 0, Cordoned = true }]).Node);

    private static ComponentDefinition Component(string runtime, int? memory = null) => new()
    {
        Name = Label.Parse("web"),
        Image = ImageReference.Parse("x.lan/y:1"),
        Runtime = Enum.Parse<RuntimeKind>(runtime, ignoreCase: true),
        MemoryMb = memory,
    };

    private static ServiceDefinition Service(
        string runtime = "container",
        int memory = 100,
        string tier = "worker") => ServiceFile.Parse($"""
        name = "web"
        tier = "{tier}"
        [[components]]
        name = "web"
        image = "x.lan/y:1"
        runtime = "{runtime}"
        memory_mb = {memory}
        """, "web.toml");
}
