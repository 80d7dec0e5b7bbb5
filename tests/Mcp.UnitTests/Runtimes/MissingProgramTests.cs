using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Instances;
using Mcp.Model.Names;
using Mcp.Runtimes;
using Mcp.Runtimes.Podman;
using Mcp.Runtimes.Qemu;
using Mcp.Runtimes.Qemu.Network;

namespace Mcp.UnitTests.Runtimes;

/// <summary>The program that a runtime stands on is not there, or says nothing of use: a person reads what is missing, and no name of a
/// class.</summary>
public sealed class MissingProgramTests : IDisposable
{
    private static readonly InstanceName s_name = InstanceName.Parse("blog.web.1");
    private static readonly ImageReference s_image = ImageReference.Parse("example.com/hello:v1");
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-missing").FullName;

    public static TheoryData<string> Calls => [.. s_calls.Keys];

    private static readonly Dictionary<string, Func<IRuntime, Task>> s_calls = new()
    {
        ["pull"] = r => r.PullAsync(s_image, new ImageWish(), null, default),
        ["run"] = r => r.RunAsync(Spec("tcp"), default),
        ["run with IPv6"] = r => r.RunAsync(Spec("ipv6"), default),
        ["start"] = r => r.StartAsync(s_name, default),
        ["stop"] = r => r.StopAsync(s_name, TimeSpan.Zero, default),
        ["remove"] = r => r.RemoveAsync(s_name, default),
        ["inspect"] = r => r.InspectAsync(s_name, default),
        ["list"] = r => r.ListAsync(default),
        ["holders"] = r => r.HoldersAsync(default),
        ["logs"] = r => r.LogsAsync(s_name, new LogOptions(), default).GetAsyncEnumerator().MoveNextAsync().AsTask(),
        ["watch"] = r => r.WatchAsync(default).GetAsyncEnumerator().MoveNextAsync().AsTask(),
        ["exec"] = r => r.ExecAsync(s_name, ["/bin/true"], TimeSpan.FromSeconds(1), default),
    };

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task Logs_that_lie_here_are_kept_and_read_without_podman()
    {
        var options = new PodmanOptions
        {
            Socket = Path.Combine(_directory, "none.sock"),
            StartService = false,
            Logs = Path.Combine(_directory, "logs"),
        };
        using var podman = new PodmanRuntime(options);
        var log = Path.Combine(options.Logs, s_name.ToString());
        Directory.CreateDirectory(log);
        await File.WriteAllTextAsync(Path.Combine(log, "live.log"), "2026-11-28T17:04:45+00:00 stdout F it ran\n");
        using var over = new CancellationTokenSource();
        var keeping = podman.KeepLogsAsync(over.Token);
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (!File.Exists(Path.Combine(log, "console.1.log")))
            await Task.Delay(10, limit.Token);
        await over.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => keeping);
        var lines = new List<string>();
        await foreach (var line in podman.LogsAsync(s_name, new LogOptions(), default))
            lines.Add(line.Text);
        Assert.Equal(["it ran"], lines);
    }

    [Theory]
    [MemberData(nameof(Calls))]
    public async Task Without_podman_every_call_says_so(string call)
    {
        using var podman = Podman(startService: true);
        var e = await Assert.ThrowsAsync<McpException>(() => s_calls[call](podman));
        Assert.Equal((ErrorCode.PodmanMissing, "install the package podman"), (e.Code, e.Hint));
    }

    [Theory]
    [MemberData(nameof(Calls))]
    public async Task Where_no_podman_listens_every_call_says_so(string call)
    {
        using var podman = Podman(startService: false);
        var e = await Assert.ThrowsAsync<McpException>(() => s_calls[call](podman));
        Assert.Contains($"no podman listens on {_directory}/podman.sock", e.Message, StringComparison.Ordinal);
        Assert.NotEqual("", e.Hint);
    }

    [Fact]
    public async Task Without_qemu_or_ops_a_pull_says_so()
    {
        var options = new QemuOptions(_directory, ["/nonexistent/keeper"]) { Program = "/nonexistent/qemu" };
        await MissingAsync(QemuRuntime.Microvms(options, new IsolatedBridge("none", "10.0.0")), "/nonexistent/qemu");
        await MissingAsync(QemuRuntime.Unikernels(options, new IsolatedBridge("none", "10.0.0")), "/nonexistent/qemu");
        options = options with { Program = "true", Ops = "/nonexistent/ops" };
        if (Programs.Find("setpriv") is not null)
            await MissingAsync(QemuRuntime.Unikernels(options, new IsolatedBridge("none", "10.0.0")), "/nonexistent/ops");
    }

    [Fact]
    public async Task A_program_that_is_not_there_is_named_and_one_that_may_not_be_run_says_why()
    {
        var missing = await Assert.ThrowsAsync<McpException>(() => RunAsync("no-such-program"));
        Assert.Equal("there is no program no-such-program", missing.Message);
        var file = Path.Combine(_directory, "plain");
        await File.WriteAllTextAsync(file, "#!/bin/sh\n");
        var refused = await Assert.ThrowsAsync<McpException>(() => RunAsync(file));
        Assert.Equal($"{file} cannot be started: Permission denied", refused.Message);
    }

    private static async Task MissingAsync(QemuRuntime runtime, string program)
    {
        var e = await Assert.ThrowsAsync<McpException>(() => runtime.PullAsync(s_image, new ImageWish(), null, default));
        Assert.Equal($"this node cannot run a {runtime.Name}: there is no program {program}", e.Message);
        Assert.Contains("install", e.Hint, StringComparison.Ordinal);
    }

    private static Task<(int ExitCode, string Output)> RunAsync(string program) =>
        Programs.RunAsync(Programs.Start(program, []), TimeSpan.FromSeconds(5), default);

    private PodmanRuntime Podman(bool startService) =>
        new(new PodmanOptions
        {
            Socket = Path.Combine(_directory, "podman.sock"),
            StartService = startService,
            Launcher = ["/nonexistent/launcher"],
        });

    private static InstanceSpec Spec(string kind)
    {
        var host = kind == "ipv6" ? "::1" : "127.0.0.1";
        var component = Assert.Single(ServiceFile.Parse("""
            name = "blog"
            [[components]]
            name = "web"
            image = "example.com/hello:v1"
            """, "test").Components);
        return new InstanceSpec(s_name, component, "hash", component.Env, [new FixedPort(host, 8080, 80)]);
    }
}
