using Mcp.Master;
using Mcp.Master.Nodes;
using Mcp.Master.Store;
using Mcp.Model.Names;
using Mcp.Model.Placement;
using Mcp.Protocol.V1;
using Microsoft.Extensions.Time.Testing;

namespace Mcp.UnitTests.Master;

public sealed class SilentNodeTests : IDisposable
{
    private static readonly Label s_alder = Label.Parse("alder");
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-silent").FullName;
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 11, 25, 12, 0, 0, TimeSpan.Zero));
    private readonly MasterConfig _config;
    private readonly MasterStore _store;

    public SilentNodeTests()
    {
        var file = Path.Combine(_directory, "master.toml");
        File.WriteAllText(file, $"""
            name = "main"
            listen = "127.0.0.1:7443"
            state = "{_directory}"
            heartbeat = "10s"
            """);
        _config = MasterConfig.Read(file);
        _store = MasterStore.Open(Path.Combine(_directory, "master.db"), _time);
        _store.Nodes.Joined(s_alder, "127.0.0.1:7444", [NodeRole.Worker], "key");
        Beat("mcp.internal");
    }

    public void Dispose()
    {
        _store.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task A_silent_node_is_told_once_and_once_when_it_is_back_whenever_the_master_starts()
    {
        var directory = new NodeDirectory(_config, _store, _time);
        await LookAsync(directory);
        _time.Advance(TimeSpan.FromMinutes(1));
        await LookAsync(directory);
        await LookAsync(directory);
        Assert.Equal(["node.unreachable alder"], Told());

        directory = new NodeDirectory(_config, _store, _time);
        await LookAsync(directory);
        _time.Advance(TimeSpan.FromMinutes(1));
        await LookAsync(directory);
        Assert.Equal(["node.unreachable alder"], Told());

        Beat("mcp.internal");
        await LookAsync(directory);
        await LookAsync(new NodeDirectory(_config, _store, _time));
        Assert.Equal(["node.unreachable alder", "node.reachable alder"], Told());
    }

    [Fact]
    public async Task Another_zone_is_told_once_and_that_it_is_the_masters_again()
    {
        Beat("other.internal");
        await LookAsync(new NodeDirectory(_config, _store, _time));
        await LookAsync(new NodeDirectory(_config, _store, _time));
        Assert.StartsWith("node.zone alder: it has the zone other.internal", Assert.Single(Told()), StringComparison.Ordinal);
        Beat("mcp.internal");
        await LookAsync(new NodeDirectory(_config, _store, _time));
        Assert.Equal("node.zone.well alder", Told()[1]);
    }

    private static async Task LookAsync(NodeDirectory directory)
    {
        using var once = new CancellationTokenSource();
        var watching = directory.WatchAsync(once.Token);
        await once.CancelAsync();
        await watching.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private void Beat(string zone) => _store.Nodes.Seen(s_alder, new NodeStatusReply { Zone = zone }, new StatusReply());

    private List<string> Told() => _store.Events.After(0, 100).ConvertAll(e => $"{e.Kind} {e.Detail}");
}
