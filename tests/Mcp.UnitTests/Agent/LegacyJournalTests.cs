using System.Text.Json;
using Mcp.Agent.Registry;
using Mcp.Daemon.Operations;
using Mcp.Daemon.Storage;
using Mcp.Model.Definition;
using Mcp.Model.Revisions;
using Mcp.TestKit.Fakes;

namespace Mcp.UnitTests.Agent;

/// <summary>An agent of before is killed in the middle of a deploy, and the next one is of today: its journal has other steps.</summary>
public sealed class LegacyJournalTests : IDisposable
{
    private static readonly string[] s_steps = ["pull", "ports", "start", "health", "switch", "retire"];
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-legacy").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Theory]
    [InlineData("", "pull", false, "v1")]
    [InlineData("", "start", false, "v1")]
    [InlineData("", "health", false, "v1")]
    [InlineData("", "health", true, "v1")]
    [InlineData("", "switch", false, "v2")]
    [InlineData("", "switch", true, "v1")]
    [InlineData("", "retire", false, "v2")]
    [InlineData("ports = [\"127.0.0.1:28081:8080\"]", "start", false, "v1")]
    [InlineData("ports = [\"127.0.0.1:28081:8080\"]", "start", true, "v1")]
    [InlineData("ports = [\"127.0.0.1:28081:8080\"]", "health", false, "v1")]
    [InlineData("ports = [\"127.0.0.1:28081:8080\"]", "switch", false, "v2")]
    [InlineData("ports = [\"127.0.0.1:28081:8080\"]", "switch", true, "v1")]
    public async Task A_deploy_that_an_older_agent_left_half_done_ends_with_one_generation(
        string extra,
        string step,
        bool undoing,
        string tag)
    {
        using var runtime = new FakeRuntime(TimeProvider.System) { Images = { "example.com/hello:v1", "example.com/hello:v2" } };
        var (before, after) = (World.Service("blog", "v1", extra), World.Service("blog", "v2", extra));
        using (var old = new World(_directory, runtime))
        {
            await old.DeployAsync(before);
            await AsFarAsAsync(old, runtime, after, step);
            Leave(old, before, after, step, undoing);
        }

        using var world = new World(_directory, runtime);
        await world.RecoverAsync();
        var stored = Assert.Single(world.Registry.Components.List());
        Assert.Equal(tag, stored.Definition.Image.Text[^2..]);
        Assert.Equal([stored.Instance.ToString()], await world.RunningAsync());
        Assert.Equal([stored.Instance.ToString()], await world.InstancesAsync());
        Assert.Empty(world.Registry.Operations.Open());
        // The number that it had given is not given again.
        await world.DeployAsync(World.Service("blog", "v1", $"env = {{ A = \"1\" }}\n{extra}"));
        Assert.Equal(["blog.web.3"], await world.RunningAsync());
    }

    // In the journal of that version, which knew service files only.
    private void Leave(World world, ServiceDefinition before, ServiceDefinition after, string step, bool undoing)
    {
        var state = JsonSerializer.Serialize(new
        {
            Definition = ServiceFileWriter.Write(after),
            Previous = ServiceFileWriter.Write(before),
            Rollouts = new[] { new { Component = "web", OldGeneration = 1, Generation = 2 } },
            Removals = Array.Empty<object>(),
        });
        world.Registry.Operations.Save(new JournalEntry(Guid.NewGuid(), "deploy", "blog", Array.IndexOf(s_steps, step), undoing, state));
        world.Registry.Dispose();
        using var database = Database.Open(Path.Combine(_directory, "registry.db"), AgentRegistry.Owner);
        database.Alter(connection => connection.Run("""
            DROP VIEW revisions_in_use;
            DROP TABLE releases;
            DROP TABLE revisions;
            DROP TABLE kept_images;
            DROP TABLE images;
            DROP TABLE pulls;
            ALTER TABLE operations DROP COLUMN why;
            PRAGMA user_version=10;
            """));
    }

    // What the steps of that version had done by then.
    private static async Task AsFarAsAsync(World world, FakeRuntime runtime, ServiceDefinition after, string step)
    {
        var component = after.Components[0];
        var old = new Model.Names.InstanceName(after.Name, component.Name, 1);
        var come = old with { Generation = 2 };
        if (step == "pull")
            return;
        world.Ports.Allocate(come, component);
        if (component.Ports.Count > 0)
            await runtime.StopAsync(old, TimeSpan.FromSeconds(1), default);
        await runtime.RunAsync(world.Ports.Spec(come, component, RevisionId.Of(component)), default);
        if (step is "switch" or "retire")
            world.Registry.Components.StoreAt(after, new Dictionary<string, int> { ["web"] = 2 });
    }
}
