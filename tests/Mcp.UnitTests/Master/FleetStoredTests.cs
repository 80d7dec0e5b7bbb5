using Mcp.Daemon.Operations;
using Mcp.Master.Deploy;
using Mcp.Master.Store;
using Mcp.Model.Errors;
using Mcp.Model.Events;
using Mcp.Model.Names;
using Mcp.Model.Revisions;
using Mcp.Protocol.V1;
using Microsoft.Data.Sqlite;

namespace Mcp.UnitTests.Master;

/// <summary>What another version has stored and this one refuses, or cannot read at all, concerns its own service and no other.</summary>
public sealed class FleetStoredTests : FaultyFleet
{
    private const string Newer =
        "name = \"bad\"\n[[components]]\nname = \"web\"\nimage = \"example.com/hello:v1\"\nruntime = \"of-next-year\"\n";
    private static readonly Label s_bad = Label.Parse("bad");
    private static readonly Label s_alder = Label.Parse("alder");

    public static TheoryData<string> Unreadable =>
        ["", "\0\0garbage", Newer, "name = \"another\"\n[[components]]\nname = \"web\"\nimage = \"example.com/hello:v1\"\n"];

    [Theory]
    [MemberData(nameof(Unreadable))]
    public async Task One_that_cannot_be_read_is_told_and_the_others_are_kept_as_ever(string text)
    {
        using var world = await WorldAsync();
        Store(world, "bad", text);
        world.Node.Definitions.Look();
        world.Node.Definitions.Look();
        Assert.Equal(["bad"], world.Store.Events.After(0, 100).Where(e => e.Kind == EventKind.DefinitionUnreadable).Select(e => e.Service));

        // Its names stay, and the others' are set again.
        Names.Records.TryRemove("good", out _);
        await world.Node.Dns!.MendAsync(default);
        Assert.Equal(["bad", "good", "web.bad", "web.good"], Names.Records.Keys.Order(StringComparer.Ordinal));
        Agents["alder"].Services.TryRemove("good", out _);
        var status = await world.Node.View.StatusAsync(null, default);
        Assert.Contains(status.Components, c => c is { Service: "bad", Observed: "unreadable" });
        Assert.Contains(status.Components, c => c is { Service: "bad", Observed: "running" });
        Assert.Contains(status.Components, c => c is { Service: "good", Observed: "unknown" });
    }

    [Theory]
    [MemberData(nameof(Unreadable))]
    public async Task One_that_cannot_be_read_can_be_undeployed_and_leaves_nothing(string text)
    {
        using var world = await WorldAsync();
        Store(world, "bad", text);
        Assert.Empty(await world.Node.Undeployer.UndeployAsync(s_bad, default));
        await world.Node.Undeployer.UndeployAsync(Label.Parse("good"), default);
        NothingIsLeft(world);
    }

    [Fact]
    public async Task One_that_cannot_be_read_can_be_deployed_anew()
    {
        using var world = await WorldAsync();
        Store(world, "bad", Newer);
        await world.DeployAsync(MasterWorld.File("bad", "v2"));
        Assert.Contains(":v2", world.Store.Placements.Find(s_bad)!.Revision.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_drain_moves_what_this_version_would_refuse_today_and_refuses_what_it_does_not_know()
    {
        using var world = await WorldAsync();
        // Two volumes at one path inside: a rule of today.
        var refused = MasterWorld.File("good")
            .Replace("image =", "volumes = [\"/srv/a:/data:ro\", \"/srv/b:/data:ro\"]\nimage =", StringComparison.Ordinal);
        Assert.Throws<Mcp.Model.Definition.ServiceFileException>(() => Mcp.Model.Definition.ServiceFile.Parse(refused, "today"));
        Store(world, "good", refused);
        Agents["alder"].Services["good"] = Revision.Legacy(refused);
        var unknown = MasterWorld.File("bad") + "\nof_next_year = 1\n";
        Store(world, "bad", unknown);
        Agents["alder"].Services["bad"] = Revision.Legacy(unknown);
        var left = await Assert.ThrowsAsync<McpException>(() => world.Node.Drainer.DrainAsync(s_alder, "ops", (_, _, _) => { }, default));
        Assert.Contains(
            "bad: the stored definition of bad has keys that this version does not know: ",
            left.Message,
            StringComparison.Ordinal);
        Assert.Contains("of_next_year", left.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("good", left.Message, StringComparison.Ordinal);
        Assert.Equal(("alder", "beech"), (world.Home("bad"), world.Home("good")));
        Assert.Equal(Revision.Legacy(unknown), Agents["alder"].Services["bad"]);
    }

    [Fact]
    public async Task Journals_and_leftovers_that_cannot_be_read_keep_no_others_from_going_on()
    {
        var directory = Fresh();
        using (var before = World(directory))
        {
            await before.DeployAsync(MasterWorld.File("good"), "alder");
            var unread = new FleetDeployment { Name = s_bad, Revision = Revision.Legacy(Newer), Node = s_alder };
            var good = MasterWorld.Deployment(MasterWorld.File("good", "v2")) with { MoveTo = Label.Parse("beech") };
            before.Store.Operations.Save(new JournalEntry(
                Guid.NewGuid(),
                FleetDeployer.Kind,
                "bad",
                1,
                false,
                FleetDeployment.Write(unread)));
            before.Store.Operations.Save(new JournalEntry(Guid.NewGuid(), FleetDeployer.Kind, "worse", 1, false, "{ garbage"));
            before.Store.Operations.Save(new JournalEntry(
                Guid.NewGuid(),
                FleetDeployer.Kind,
                "good",
                0,
                false,
                FleetDeployment.Write(good)));
            before.Store.Leftovers.Add(new Leftover("deploy", "gone", "alder", "{ garbage", "cut"));
            before.Store.Leftovers.Add(new Leftover("dns", "gone", "alder", FleetDeployment.Write(unread), "cut"));
            before.Store.Leftovers.Add(new Leftover("record", "gone", "alder", "", "cut"));
        }

        Agents["alder"].Services["gone"] = MasterWorld.Revision(MasterWorld.File("gone"));
        Names.Records["gone"] = System.Net.IPAddress.Loopback;
        using var world = World(directory);
        await world.RecoverAsync();
        ServesAt(world, "good", "beech", "v2");
        Assert.Equal(
            ["bad", "worse"],
            world.Store.Events.After(0, 100)
                .Where(e => e.Kind == EventKind.DeployFailed)
                .Select(e => e.Service)
                .Order(StringComparer.Ordinal));
        Assert.DoesNotContain(world.Store.Events.After(0, 100), e => e.Detail.Contains("Exception", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Hostnames_of_one_that_cannot_be_read_stay_its_own_after_a_refused_deploy()
    {
        using var world = await WorldAsync();
        Store(world, "bad", Newer);
        Agents["alder"].Hook = (what, _) => what == "deploy"
            ? throw new McpException(ErrorCode.StepFailed, "step health failed and was undone")
            : Task.CompletedTask;
        Agents["alder"].Services.TryRemove("bad", out _);
        await Assert.ThrowsAsync<StepFailedException>(() => world.DeployAsync(MasterWorld.File("bad", "v2")));
        Assert.Equal(Revision.Legacy(Newer), world.Store.Placements.Find(s_bad)!.Revision);
        Mend();
        Assert.Equal(
            ErrorCode.RouteTaken,
            (await Assert.ThrowsAsync<McpException>(() => world.DeployAsync(MasterWorld.File("thief")
                .Replace("thief.example.com", "bad.example.com", StringComparison.Ordinal)))).Code);
    }

    [Fact]
    public async Task An_agent_whose_definition_cannot_be_read_keeps_no_other_from_being_adopted()
    {
        using var world = World(Fresh());
        Agents["alder"].Services["good"] = MasterWorld.Revision(MasterWorld.File("good"));
        Agents["alder"].Services["bad"] = MasterWorld.Revision(MasterWorld.File("bad"));
        Agents["alder"].Hook = (what, _) =>
        {
            Agents["alder"].Lie = what == "show" && Agents["alder"].Lie is null ? Revision.Legacy(Newer) : Agents["alder"].Lie;
            return Task.CompletedTask;
        };
        var reply = new OperationReply();
        await world.Node.Adopter.AdoptAsync(null, reply, default);
        Agents["alder"].Lie = null;
        Assert.Equal(2, reply.Failed.Count);
        Mend();
        await world.Node.Adopter.AdoptAsync(null, reply, default);
        Assert.Equal(["bad", "good"], world.Store.Placements.List().Select(p => p.Service.Text));
    }

    private async Task<MasterWorld> WorldAsync()
    {
        var world = World(Fresh());
        await world.DeployAsync(MasterWorld.File("bad"), "alder");
        await world.DeployAsync(MasterWorld.File("good"), "alder");
        return world;
    }

    private static void Store(MasterWorld world, string service, string definition)
    {
        using var connection = new SqliteConnection($"Data Source={Path.Combine(world.Config.State, "master.db")};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        var revision = Revision.Legacy(definition);
        command.CommandText = "INSERT OR IGNORE INTO revisions (id, body, made_at) VALUES ($id, $body, '2026-01-01T00:00:00Z');"
            + "UPDATE placements SET revision = $id WHERE service = $service RETURNING 1";
        command.Parameters.AddWithValue("$id", revision.Id);
        command.Parameters.AddWithValue("$body", revision.Body);
        command.Parameters.AddWithValue("$service", service);
        Assert.Equal(1L, command.ExecuteScalar());
    }
}
