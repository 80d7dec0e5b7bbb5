using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Mcp.Agent.Registry;
using Mcp.Daemon.Storage;
using Mcp.Model.Names;
using Microsoft.Data.Sqlite;

namespace Mcp.UnitTests.Agent;

/// <summary>The migration of definitions from service files to bodies, on a registry as version 0.2 left it.</summary>
public sealed class DefinitionBodiesTests : IDisposable
{
    private const string Web = "[[components]]\nname = \"web\"\nimage = \"x.lan/y:1\"\n";
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-bodies").FullName;

    private string RegistryFile => Path.Combine(_directory, "registry.db");

    [Theory]
    [InlineData(Web + "env = { A = \"1\" }\n", "", "env = { A = \"1\" }")]
    [InlineData(Web + "nice = 5\n", "nice", "nice = 5")]
    [InlineData(Web + "restart = \"sometimes\"\n", "restart", "restart = \"sometimes\"")]
    [InlineData(Web + "health = { tcp = true, port = 1, since = 2026-11-25 }\n", "since", "2026-11-25")]
    [InlineData("volumes = 7", "its stored definition cannot be read", "volumes = 7")]
    [InlineData("\0\u0001[[", "its stored definition cannot be read", "[[")]
    public void A_row_of_an_older_version_keeps_its_hash_and_all_that_it_says(string definition, string trouble, string shown)
    {
        MakeOld(definition, "{}");
        using var registry = AgentRegistry.Open(RegistryFile, TimeProvider.System);
        var kept = Assert.Single(registry.Components.List());
        Assert.Equal(("h", 7, "s.web.7"), (kept.SpecHash, kept.Generation, kept.Instance.ToString()));
        Assert.Contains(trouble, kept.Trouble, StringComparison.Ordinal);
        Assert.Equal(trouble.Length == 0, kept.Trouble.Length == 0);
        Assert.Contains(
            shown,
            Mcp.Model.Definition.ServiceFileWriter.Write(registry.Components.Find(Label.Parse("s"))!),
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_journal_of_an_older_version_is_converted_whole()
    {
        var state = new JsonObject
        {
            ["Definition"] = $"name = \"s\"\ntier = \"edge\"\n\n{Web}colour = \"red\"\n",
            ["Previous"] = null,
            ["Rollouts"] = new JsonArray(new JsonObject { ["Component"] = "web", ["OldGeneration"] = 0, ["Generation"] = 1 }),
            ["Removals"] = new JsonArray(),
            ["Before"] = new JsonArray(new JsonObject { ["Name"] = "web", ["Definition"] = Web, ["SpecHash"] = "h" }),
        };
        MakeOld(Web, state.ToJsonString());
        using var registry = AgentRegistry.Open(RegistryFile, TimeProvider.System);
        var deployment = Mcp.Agent.Deploy.Deployment.Read(Assert.Single(registry.Operations.Open()).State);
        Assert.Equal(["colour", "tier"], deployment.Service.UnreadKeys.Order());
        Assert.Null(deployment.PreviousService);
        // What it has started by then carries the hash that version computed.
        Assert.Equal(Hash($"{Web}colour = \"red\"\n"), deployment.Rollouts[0].Revision);
        Assert.Equal(
            ("h", "{\"schema\":1,\"name\":\"web\",\"image\":\"x.lan/y:1\"}"),
            (deployment.Before![0].SpecHash, deployment.Before[0].Definition));
    }

    [Fact]
    public void A_journal_of_before_rows_were_journaled_has_what_an_undo_needs()
    {
        const string Db = "[[components]]\nname = \"db\"\nimage = \"x.lan/db:1\"\nruntime = \"microvm\"\n";
        var state = new JsonObject
        {
            ["Definition"] = $"name = \"s\"\n\n{Web}",
            ["Previous"] = $"name = \"s\"\nactive = false\n\n{Web}\n{Db}",
            ["Rollouts"] = new JsonArray(new JsonObject { ["Component"] = "web", ["OldGeneration"] = 3, ["Generation"] = 4 }),
            ["Removals"] = new JsonArray(new JsonObject { ["Component"] = "db", ["OldGeneration"] = 2, ["Generation"] = 0 }),
        };
        MakeOld(Web, state.ToJsonString());
        using var registry = AgentRegistry.Open(RegistryFile, TimeProvider.System);
        var deployment = Mcp.Agent.Deploy.Deployment.Read(Assert.Single(registry.Operations.Open()).State);
        Assert.Equal(
            [("web", 3, "Stopped", "container", Hash(Web)), ("db", 2, "Stopped", "microvm", Hash(Db))],
            deployment.Before.Select(r => (r.Name, r.Generation, r.Desired, r.Runtime, r.SpecHash)));
        Assert.All(deployment.Before, r => Assert.StartsWith("{\"schema\":1,", r.Definition, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("")]
    [InlineData("[1]")]
    [InlineData("{\"Definition\":7,\"Before\":[3]}")]
    public void A_journal_that_is_none_stays_as_it_is(string state)
    {
        MakeOld(Web, state);
        using var registry = AgentRegistry.Open(RegistryFile, TimeProvider.System);
        Assert.Equal(state, Assert.Single(registry.Operations.Open()).State);
    }

    [Fact]
    public void An_agent_killed_in_the_middle_of_it_goes_on_at_its_next_start()
    {
        MakeOld(Web, "{}");
        using (var database = Database.Open(RegistryFile, AgentRegistry.Owner))
        {
            var dies = AgentRegistry.Migrations.Select(m => m.Number == 11 ? m with { Then = c => Dies(m.Then!, c) } : m).ToList();
            Assert.Throws<InvalidOperationException>(() => Migrator.Migrate(database, dies));
        }

        using (var left = new SqliteConnection($"Data Source={RegistryFile};Pooling=false"))
        {
            left.Open();
            Assert.Equal(
                (10L, Web),
                ((long)left.Scalar("PRAGMA user_version")!, (string)left.Scalar("SELECT definition FROM components")!));
        }

        using var registry = AgentRegistry.Open(RegistryFile, TimeProvider.System);
        Assert.StartsWith("{\"schema\":1,", Assert.Single(registry.Components.List()).Row.Definition, StringComparison.Ordinal);
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)))[..16];

    private static void Dies(Action<SqliteConnection> then, SqliteConnection connection)
    {
        then(connection);
        throw new InvalidOperationException("killed");
    }

    private void MakeOld(string definition, string journal)
    {
        using var old = Database.Open(RegistryFile, AgentRegistry.Owner);
        Migrator.Migrate(old, AgentRegistry.Migrations, upTo: 10);
        old.Alter(connection =>
        {
            connection.Run("INSERT INTO services (name, tier, active, updated_at) VALUES ('s', 'worker', 1, '2026-01-01T00:00:00Z')");
            connection.Run(
                """
                INSERT INTO components (service, name, position, image, definition, spec_hash, generation, desired, updated_at)
                VALUES ('s', 'web', 0, 'x.lan/y:1', @definition, 'h', 7, 'Running', '2026-01-01T00:00:00Z')
                """,
                ("definition", definition));
            connection.Run(
                """
                INSERT INTO operations (id, kind, subject, step, undoing, state, updated_at)
                VALUES ('0f8fad5b-d9cb-469f-a165-70867728950e', 'rollout', 's', 0, 0, @state, '2026-01-01T00:00:00Z')
                """,
                ("state", journal));
        });
    }
}
