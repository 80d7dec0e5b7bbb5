using Mcp.IntegrationTests.Hosts;
using Mcp.Runtimes;
using Mcp.Runtimes.Podman;

namespace Mcp.IntegrationTests.Runtimes;

/// <summary>conmon's files, small ones.</summary>
[Collection("node")]
public sealed class PodmanLogTests : LogContract
{
    private readonly PodmanRuntime _runtime;

    public PodmanLogTests(NodeFixture node)
        : base(node) => _runtime = new PodmanRuntime(new PodmanOptions
        {
            Socket = Path.Combine(node.State, "podman.sock"),
            StartService = false,
            Logs = Path.Combine(node.State, "contract-logs"),
            LogBytes = 3 * 512 * 1024,
        });

    protected override IRuntime Runtime => _runtime;

    protected override int LongLine => 1_000_000;

    protected override int Lines => 60_000;

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        _runtime.Dispose();
    }

    [Fact]
    public async Task Both_streams_are_in_order_each()
    {
        await RunAsync("i=0; while [ $i -lt 500 ]; do echo out $i; echo err $i >&2; i=$((i+1)); done");
        var lines = await LinesAsync(new LogOptions(Follow: true));
        Assert.Equal(Enumerable.Range(0, 500).Select(i => $"out {i}"), lines.Where(l => !l.Stderr).Select(l => l.Text));
        Assert.Equal(Enumerable.Range(0, 500).Select(i => $"err {i}"), lines.Where(l => l.Stderr).Select(l => l.Text));
    }

    [Fact]
    public async Task Nobody_reads_and_the_parts_of_a_log_are_kept_all_the_same()
    {
        using var over = new CancellationTokenSource();
        var keeping = _runtime.KeepLogsAsync(over.Token);
        await RunAsync("for i in 0 1 2 3 4 5 6 7 8 9; do "
            + "awk 'BEGIN { for (i = 0; i < 4000; i++) print \"x\" i \"0123456789012345678901234567890\" }'; "
            + "echo part $i; sleep 0.3; done");
        await LinesAsync(new LogOptions(Follow: true, Tail: 0));
        var parts = (await LinesAsync(new LogOptions())).Select(l => l.Text).Where(t => t.StartsWith("part", StringComparison.Ordinal));
        Assert.Equal(Enumerable.Range(0, 10).Select(i => $"part {i}"), parts);
        await over.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => keeping);
    }
}
