using System.Text.Json.Nodes;
using Mcp.Daemon.Storage;
using Mcp.Master.Deploy;
using Mcp.Master.Store;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Model.Revisions;

namespace Mcp.UnitTests.Master;

/// <summary>The migration of the master's definitions from service files to revisions, on a database as version 0.2 left it.</summary>
public sealed class RevisionsOfPlacementsTests : IDisposable
{
    private static readonly Label s_blog = Label.Parse("blog");
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-placements").FullName;

    private string DatabaseFile => Path.Combine(_directory, "master.db");

    [Fact]
    public void Placements_journals_and_leftovers_are_converted_whole()
    {
        var state = new JsonObject
        {
            ["Definition"] = MasterWorld.File("blog", "v2") + "\ncolour = \"red\"\n",
            ["Component"] = "",
            ["MoveTo"] = "beech",
            ["Leave"] = false,
            ["IfChanged"] = true,
            ["Node"] = "",
            ["Why"] = "",
            ["From"] = null,
            ["Plan"] = "",
        };
        MakeOld(MasterWorld.File("blog"), state.ToJsonString());
        using var store = MasterStore.Open(DatabaseFile, TimeProvider.System);
        var there = Assert.Single(store.Placements.List());
        Assert.Equal((s_blog, "alder", MasterWorld.Revision(MasterWorld.File("blog"))), (there.Service, there.Node?.Text, there.Revision));
        // Its hostnames stay its own.
        var thief = ServiceFile.Parse(
            MasterWorld.File("thief").Replace("thief.example.com", "blog.example.com", StringComparison.Ordinal),
            "test");
        Assert.Equal(ErrorCode.RouteTaken, Assert.Throws<McpException>(() => store.Hostnames.Check(thief)).Code);
        foreach (var text in (string[])[Assert.Single(store.Operations.Open()).State, Assert.Single(store.Leftovers.List()).State])
        {
            var read = FleetDeployment.Read(text);
            Assert.Equal(
                (s_blog, null, "beech", null, null, null, true),
                (read.Name, read.Component, read.MoveTo?.Text, read.Node, read.From, read.Plan, read.IfChanged));
            Assert.Equal(["colour"], read.Service.UnreadKeys);
            Assert.Equal("example.com/hello:v2", read.Service.Components[0].Image.Text);
        }
    }

    [Theory]
    [InlineData("", "")]
    [InlineData("\0\0[[", "{ garbage")]
    [InlineData("name = \"another\"\n[[components]]\nname = \"web\"\nimage = \"x.lan/y:1\"", "[1]")]
    public void What_is_damaged_stays_and_is_seen_as_that(string definition, string state)
    {
        MakeOld(definition, state);
        using var store = MasterStore.Open(DatabaseFile, TimeProvider.System);
        var there = Assert.Single(store.Placements.List());
        Assert.Equal((s_blog, null), (there.Service, there.TryRead()));
        Assert.Equal(Revision.Legacy(definition), there.Revision);
        Assert.Equal(state, Assert.Single(store.Operations.Open()).State);
        Assert.Null(FleetDeployment.TryRead(s_blog, state));
    }

    [Fact]
    public void A_master_killed_in_the_middle_of_it_goes_on_at_its_next_start()
    {
        MakeOld(MasterWorld.File("blog"), "{}");
        using (var database = Database.Open(DatabaseFile, MasterStore.Owner))
        {
            var dies = MasterStore.Migrations.Select(m => m.Number == 6 ? m with { Then = c => Dies(m.Then!, c) } : m).ToList();
            Assert.Throws<InvalidOperationException>(() => Migrator.Migrate(database, dies));
        }

        using var store = MasterStore.Open(DatabaseFile, TimeProvider.System);
        Assert.Equal(MasterWorld.Revision(MasterWorld.File("blog")), Assert.Single(store.Placements.List()).Revision);
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private static void Dies(Action<Microsoft.Data.Sqlite.SqliteConnection> then, Microsoft.Data.Sqlite.SqliteConnection connection)
    {
        then(connection);
        throw new InvalidOperationException("killed");
    }

    private void MakeOld(string definition, string state)
    {
        using var old = Database.Open(DatabaseFile, MasterStore.Owner);
        Migrator.Migrate(old, MasterStore.Migrations, upTo: 5);
        old.Alter(connection =>
        {
            connection.Run(
                "INSERT INTO placements (service, node, definition, updated_at) VALUES ('blog', 'alder', @definition, "
                    + "'2026-01-01T00:00:00Z')",
                ("definition", definition));
            connection.Run("INSERT INTO hostnames (hostname, service) VALUES ('blog.example.com', 'blog')");
            connection.Run(
                """
                INSERT INTO operations (id, kind, subject, step, undoing, state, updated_at)
                VALUES ('0f8fad5b-d9cb-469f-a165-70867728950e', 'deploy', 'blog', 0, 0, @state, '2026-01-01T00:00:00Z')
                """,
                ("state", state));
            connection.Run(
                """
                INSERT INTO leftovers (step, service, node, state, error, created_at)
                VALUES ('deploy', 'blog', 'beech', @state, 'cut', '2026-01-01T00:00:00Z')
                """,
                ("state", state));
        });
    }
}
