using Mcp.Daemon.Identity;
using Mcp.Model.Names;
using Mcp.TestKit.Fakes;

namespace Mcp.UnitTests.Master;

/// <summary>A fleet of two nodes whose agents, names and routes fail, die or fall silent at any side effect.</summary>
public abstract class FaultyFleet : IAsyncLifetime
{
    private static readonly string[] s_nodes = ["alder", "beech"];
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-fleet-world").FullName;
    private CertificateAuthority _authority = null!;
    private int _worlds;

    private protected FakeNames Names { get; } = new();

    private protected FakeAgents Agents { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        _authority = CertificateAuthority.Create(_directory, "test", TimeProvider.System.GetUtcNow());
        Agents = await FakeAgents.StartAsync(s_nodes, _authority);
    }

    public async ValueTask DisposeAsync()
    {
        await Agents.DisposeAsync();
        _authority.Dispose();
        Directory.Delete(_directory, recursive: true);
        GC.SuppressFinalize(this);
    }

    private protected void Break(Func<string, Task> hook)
    {
        Names.Hook = hook;
        foreach (var agent in Agents.All)
            agent.Hook = (what, _) => what is "status" ? Task.CompletedTask : hook(what);
    }

    private protected void Mend() => Break(_ => Task.CompletedTask);

    private protected string Fresh()
    {
        Mend();
        Names.Records.Clear();
        Names.Routes.Clear();
        foreach (var agent in Agents.All)
        {
            agent.Services.Clear();
            (agent.Deploys, agent.Lie) = (0, null);
        }

        var directory = Directory.CreateDirectory(Path.Combine(_directory, $"{++_worlds}")).FullName;
        foreach (var file in (string[])["ca.crt", "ca.key"])
            File.Copy(Path.Combine(_directory, file), Path.Combine(directory, file));
        return directory;
    }

    private protected MasterWorld World(string directory, bool waits = false) => new(directory, Agents, Names, waits: waits);

    private protected void ServesAt(MasterWorld world, string service, string node, string tag)
    {
        Assert.Empty(world.Store.Operations.Open());
        Assert.Empty(world.Store.Leftovers.List());
        Assert.Equal((node, null), (world.Home(service), world.Store.Placements.Find(Label.Parse(service))!.Target));
        Assert.Equal([node], Agents.All.Where(a => a.Services.ContainsKey(service)).Select(a => a.Name));
        Assert.Equal(MasterWorld.Revision(MasterWorld.File(service, tag)), Agents[node].Services[service]);
        Assert.Equal([service, $"web.{service}"], Names.Records.Keys.Order(StringComparer.Ordinal));
        Assert.Equal([$"{service}.example.com"], Names.Routes.Keys);
    }

    private protected void NothingIsLeft(MasterWorld world)
    {
        Assert.Empty(world.Store.Operations.Open());
        Assert.Empty(world.Store.Leftovers.List());
        Assert.Empty(world.Store.Placements.List());
        Assert.All(Agents.All, a => Assert.Empty(a.Services));
        Assert.Empty(Names.Records);
        Assert.Empty(Names.Routes);
    }
}
