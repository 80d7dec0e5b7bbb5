using System.Diagnostics;
using Mcp.IntegrationTests.Hosts;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Instances;
using Mcp.Model.Names;
using Mcp.Model.Revisions;
using Mcp.Runtimes;
using Mcp.Runtimes.Podman;

namespace Mcp.IntegrationTests.Runtimes;

/// <summary>Programs inside containers of a real podman: their output, and their end.</summary>
[Collection("node")]
public sealed class PodmanExecTests(NodeFixture node) : IAsyncLifetime
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(30);
    private readonly InstanceName _name = InstanceName.Parse($"exec-{Guid.NewGuid().ToString("N")[..8]}.web.1");
    private readonly PodmanRuntime _runtime = new(new PodmanOptions
    {
        Socket = Path.Combine(node.State, "podman.sock"),
        StartService = false,
    });

    public async ValueTask InitializeAsync()
    {
        var component = ServiceFile.Parse($"""
            name = "{_name.Service}"
            [[components]]
            name = "web"
            image = "{node.Image("shell")}"
            cmd = ["-c", "exec busybox sleep 1000"]
            """, "exec").Components[0];
        await _runtime.PullAsync(component.Image, new ImageWish(), null, default);
        await _runtime.RunAsync(
            new InstanceSpec(_name, component, RevisionId.Of(component), new Dictionary<string, string>(), []), default);
    }

    public async ValueTask DisposeAsync()
    {
        await _runtime.RemoveAsync(_name, default);
        _runtime.Dispose();
    }

    [Fact]
    public async Task Both_outputs_come_in_order_as_they_were_printed()
    {
        const string program = "echo out; busybox sleep 0.3; echo ä€ err >&2; busybox sleep 0.3; printf 'no end'; exit 3";
        Assert.Equal((3, "out\nä€ err\nno end"), await ExecAsync(program));
        Assert.Equal((0, ""), await ExecAsync("exit 0"));
        var (code, output) = await _runtime.ExecAsync(_name, ["/no/such"], s_limit, default);
        Assert.Equal(127, code);
        Assert.DoesNotContain(output, c => char.IsControl(c) && c is not ('\r' or '\n'));
        Assert.Contains("/no/such", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Output_is_cut_at_64_KiB_and_the_program_goes_on_to_its_end()
    {
        var (code, output) = await ExecAsync("i=0; while [ $i -lt 9000 ]; do echo \"line $i\"; i=$((i+1)); done; exit 5");
        var whole = string.Concat(Enumerable.Range(0, 9000).Select(i => $"line {i}\n"));
        Assert.Equal((5, whole[..(64 * 1024)]), (code, output));
    }

    [Fact]
    public async Task One_that_prints_without_end_takes_no_memory_and_is_ended()
    {
        // Only what stays is counted: other tests make garbage in this process at the same time.
        var before = GC.GetTotalMemory(forceFullCollection: true);
        var most = 0L;
        var running = _runtime.ExecAsync(_name, ["busybox", "cat", "/dev/zero"], TimeSpan.FromSeconds(3), default);
        while (await Task.WhenAny(running, Task.Delay(200)) != running)
            most = Math.Max(most, GC.GetTotalMemory(forceFullCollection: true) - before);
        Assert.Equal(ErrorCode.ProgramHangs, (await Assert.ThrowsAsync<McpException>(() => running)).Code);
        Assert.InRange(most, long.MinValue, 256 << 20);
        Assert.Empty(await RunningAsync("cat"));
    }

    [Fact]
    public async Task What_does_not_end_is_ended_at_its_limit_with_all_that_it_started()
    {
        // A child, one that has lost its parent, and one in a session of its own.
        const string program = "(busybox sleep 4321 &) ; busybox setsid busybox sleep 4321 & busybox sleep 4321";
        var clock = Stopwatch.StartNew();
        for (var i = 0; i < 3; i++)
        {
            var e = await Assert.ThrowsAsync<McpException>(
                () => _runtime.ExecAsync(_name, ["sh", "-c", program], TimeSpan.FromSeconds(1), default));
            Assert.Equal(ErrorCode.ProgramHangs, e.Code);
            Assert.Empty(await RunningAsync("4321"));
        }

        Assert.InRange(clock.Elapsed.TotalSeconds, 3, 40);
        Assert.Equal((0, "well\n"), await ExecAsync("echo well"));
    }

    [Fact]
    public async Task Whoever_goes_away_leaves_nothing_that_runs()
    {
        using var gone = new CancellationTokenSource();
        var running = _runtime.ExecAsync(_name, ["sh", "-c", "busybox sleep 4322; true"], s_limit, gone.Token);
        await NodeFixture.UntilAsync(async () => (await RunningAsync("4322")).Count > 0, "it runs");
        await gone.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
        Assert.Empty(await RunningAsync("4322"));
    }

    [Fact]
    public async Task What_a_killed_agent_has_left_running_is_ended_before_the_next_and_others_are_left_alone()
    {
        string[] left = ["sh", "-c", "busybox sleep 4323; true"];
        string[] other = ["busybox", "sleep", "4324"];
        foreach (var program in (string[][])[left, other])
            NodeFixture.Succeeded(await node.PodmanAsync(["exec", "-d", _name.ToString(), .. program]));
        await NodeFixture.UntilAsync(async () => (await RunningAsync("4323")).Count == 2, "it runs");
        await Task.Delay(1100);
        await Assert.ThrowsAsync<McpException>(() => _runtime.ExecAsync(_name, left, TimeSpan.FromSeconds(1), default));
        Assert.Empty(await RunningAsync("4323"));
        Assert.Single(await RunningAsync("4324"));
    }

    private Task<(int ExitCode, string Output)> ExecAsync(string program) =>
        _runtime.ExecAsync(_name, ["sh", "-c", program], s_limit, default);

    // Inside this container, by its own list of processes; only what sleeps or prints, and its shells.
    private async Task<List<string>> RunningAsync(string word)
    {
        var (_, output) = await ExecAsync("for p in /proc/[0-9]*; do busybox tr '\\000' ' ' < $p/cmdline; echo; done");
        return [.. output.Split('\n')
            .Where(l => l.Contains(word, StringComparison.Ordinal) && !l.Contains("/proc", StringComparison.Ordinal))];
    }
}
