using Mcp.Agent.Registry;
using Mcp.Daemon.Storage;
using Mcp.Master.Store;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Events;
using Mcp.Model.Names;
using Microsoft.Data.Sqlite;
using Mcp.UnitTests.Agent;

namespace Mcp.UnitTests.Daemon;

public sealed class RegistryTests : IDisposable
{
    // The migration that made the table.
    private const int Sequences = 7;

    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-registry").FullName;

    private string DatabaseFile => Path.Combine(_directory, "registry.db");

    public static TheoryData<int> Versions => [.. AgentRegistry.Migrations.Select(m => m.Number)];

    [Theory]
    [MemberData(nameof(Versions))]
    public void An_older_registry_is_upgraded_in_place_and_keeps_its_services(int version)
    {
        using (var old = Database.Open(DatabaseFile, AgentRegistry.Owner))
        {
            Migrator.Migrate(old, AgentRegistry.Migrations, upTo: version);
            old.Alter(connection => connection.Run("""
                INSERT INTO services (name, tier, active, updated_at) VALUES ('blog', 'worker', 1, '2026-01-01T00:00:00Z');
                INSERT INTO components (service, name, position, image, definition, spec_hash, generation, desired, updated_at)
                VALUES ('blog', 'web', 0, 'docker.io/a/b:1',
                  '[[components]]' || char(10) || 'name = "web"' || char(10) || 'image = "docker.io/a/b:1"',
                  'h', 7, 'Running', '2026-01-01T00:00:00Z');
                """));
            if (version >= Sequences)
                old.Alter(connection => connection.Run("INSERT INTO sequences (service, last) VALUES ('blog', 5)"));
        }

        using var registry = AgentRegistry.Open(DatabaseFile, TimeProvider.System);
        var kept = Assert.Single(registry.Components.List());
        Assert.Equal(("blog.web.7", RuntimeKind.Container), (kept.Instance.ToString(), kept.Definition.Runtime));
        registry.Events.Add("blog", "web", EventKind.DeployDone, "");
        Assert.Single(registry.Events.After(0, 10));
        // What it changes is numbered from now on, and what a later request has superseded stays so.
        registry.Holds.Set(kept.Service, kept.Definition.Name);
        Assert.Equal(1, Changes());
        var late = Record.Exception(() => registry.Sequences.Pass(kept.Service, new(4)));
        Assert.Equal(version >= Sequences ? ErrorCode.RequestSuperseded : null, (late as McpException)?.Code);
    }

    [Fact]
    public void A_newer_registry_is_refused()
    {
        using (var newer = Database.Open(DatabaseFile, AgentRegistry.Owner))
            newer.Alter(connection => connection.Run("PRAGMA user_version=999"));

        var e = Assert.Throws<McpException>(() => AgentRegistry.Open(DatabaseFile, TimeProvider.System));
        Assert.Equal(ErrorCode.RegistryNewer, e.Code);
    }

    [Fact]
    public void A_damaged_registry_is_refused_says_how_to_restore_and_stays_as_it_is()
    {
        File.WriteAllBytes(DatabaseFile, [.. Enumerable.Range(0, 8192).Select(i => (byte)(i * 7))]);
        var before = File.ReadAllBytes(DatabaseFile);
        var e = Assert.Throws<McpException>(() => AgentRegistry.Open(DatabaseFile, TimeProvider.System));
        Assert.Equal(ErrorCode.RegistryCorrupt, e.Code);
        Assert.Contains("restore", e.Hint, StringComparison.Ordinal);
        Assert.Equal(before, File.ReadAllBytes(DatabaseFile));
        Assert.Single(Directory.GetFiles(_directory));
    }

    [Theory]
    [InlineData("mcp-agent", "the registry", "mcp-master")]
    [InlineData("mcp-master", "the master's database", "mcp-agent")]
    public void What_keeps_a_database_from_being_opened_is_told_of_its_own_program(string program, string called, string other)
    {
        IDisposable Open() => program == "mcp-agent"
            ? AgentRegistry.Open(DatabaseFile, TimeProvider.System)
            : MasterStore.Open(DatabaseFile, TimeProvider.System);

        void Refused(ErrorCode code, string what)
        {
            var e = Assert.Throws<McpException>(Open);
            Assert.Equal(code, e.Code);
            Assert.StartsWith(what, e.Message, StringComparison.Ordinal);
            Assert.DoesNotContain(other, e.Message + e.Hint, StringComparison.Ordinal);
        }

        File.WriteAllBytes(DatabaseFile, [.. Enumerable.Range(0, 8192).Select(i => (byte)(i * 7))]);
        Refused(ErrorCode.RegistryCorrupt, $"{called} {DatabaseFile} is damaged");
        File.Delete(DatabaseFile);
        Directory.CreateDirectory(DatabaseFile);
        Refused(ErrorCode.RegistryOpen, $"cannot open {called} {DatabaseFile}");
        Directory.Delete(DatabaseFile);
        Open().Dispose();
        using (var connection = new SqliteConnection($"Data Source={DatabaseFile};Pooling=False"))
        {
            connection.Open();
            connection.Run("PRAGMA user_version=999");
        }

        Refused(ErrorCode.RegistryNewer, $"{called} {DatabaseFile} has schema 999");
        Assert.Contains($"install the newer {program} again", Assert.Throws<McpException>(Open).Hint, StringComparison.Ordinal);
    }

    [Fact]
    public void A_hostname_belongs_to_one_service()
    {
        using var registry = AgentRegistry.Open(DatabaseFile, TimeProvider.System);
        var generations = new Dictionary<string, int> { ["web"] = 1 };
        registry.Components.StoreAt(Service("one"), generations);
        Assert.Equal(
            ErrorCode.RouteTaken,
            Assert.Throws<McpException>(() => registry.Components.StoreAt(Service("two"), generations)).Code);
        Assert.Equal("one", Assert.Single(registry.Components.List()).Service.Text);
    }

    [Fact]
    public void A_host_port_is_given_once()
    {
        using var registry = AgentRegistry.Open(DatabaseFile, TimeProvider.System);
        Assert.True(registry.Ports.TryTake(InstanceName.Parse("a.b.1"), 20000, 80));
        Assert.False(registry.Ports.TryTake(InstanceName.Parse("a.b.2"), 20000, 80));
        registry.Ports.Release(InstanceName.Parse("a.b.1"));
        Assert.Empty(registry.Ports.All());
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private long Changes()
    {
        using var database = Database.Open(DatabaseFile, AgentRegistry.Owner);
        using var connection = database.Connect();
        return (long)connection.Scalar("SELECT last FROM changes")!;
    }

    private static ServiceDefinition Service(string name) => ServiceFile.Parse($"""
        name = "{name}"
        [[components]]
        name = "web"
        image = "docker.io/a/b:1"
        [[components.routes]]
        name = "http"
        port = 80
        hostname = "same.example.com"
        """, "f");
}
