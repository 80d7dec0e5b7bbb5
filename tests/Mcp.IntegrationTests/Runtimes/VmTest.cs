using Mcp.IntegrationTests.Hosts;
using Mcp.Model.Definition;
using Mcp.Model.Instances;
using Mcp.Model.Names;
using Mcp.Model.Revisions;
using Mcp.Runtimes;
using Mcp.Runtimes.Qemu;

namespace Mcp.IntegrationTests.Runtimes;

/// <summary>A guest that runs the script a test gives it, and goes with the test.</summary>
[Collection("vms")]
public abstract class VmTest(NodeFixture node, VmHost host) : IClassFixture<VmHost>, IAsyncLifetime
{
    // The image has only a shell and busybox.
    private const string Applets = "for a in cat sleep dd ip wget; do alias $a=\"busybox $a\"; done\n";

    protected NodeFixture Node => node;

    protected VmHost Host => host;

    /// <summary>Of this test's microvm.</summary>
    protected string Machine => Path.Combine(Host.DirectoryOf(Host.Microvms, Name), "machine");

    protected InstanceName Name { get; } = InstanceName.Parse($"vm-{Guid.NewGuid().ToString("N")[..8]}.web.1");

    public virtual ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public virtual async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await host.Microvms.RemoveAsync(Name, CancellationToken.None);
        await host.Unikernels.RemoveAsync(Name, CancellationToken.None);
    }

    /// <summary>Runs a shell script in a guest.</summary>
    /// <param name="extra">More lines of its component.</param>
    protected async Task RunAsync(
        QemuRuntime vms,
        string script,
        string extra = "",
        FixedPort? port = null,
        InstanceName? name = null,
        string? image = null)
    {
        // The image's entry point is a shell with a script of its own: the script is what this says instead.
        var component = ServiceFile.Parse($"""
            name = "{Name.Service}"
            [[components]]
            name = "web"
            runtime = "{vms.Name}"
            image = "{image ?? node.Image("shell")}"
            cmd = ["-c", '''{Applets}{script}''']
            memory_mb = 128
            {extra}
            """, "fault").Components[0];
        await vms.PullAsync(component.Image, new ImageWish(), null, default);
        await vms.RunAsync(
            new InstanceSpec(
                name ?? Name,
                component,
                RevisionId.Of(component),
                new Dictionary<string, string> { ["PORT"] = "8080" },
                port is null ? [] : [port]),
            default);
    }

    protected async Task<InstanceInfo> EndedAsync(QemuRuntime vms)
    {
        InstanceInfo? info = null;
        await NodeFixture.UntilAsync(
            async () => (info = await vms.InspectAsync(Name, default)) is { State: not InstanceState.Running },
            "it has ended",
            () => SaidAsync(vms));
        return info!;
    }

    protected Task<string> SaidAsync(QemuRuntime vms) => SaidAsync(Name, vms);

    protected static async Task<string> SaidAsync(InstanceName name, QemuRuntime vms)
    {
        var said = new List<string>();
        await foreach (var line in vms.LogsAsync(name, new LogOptions(), default))
            said.Add(line.Text);
        return string.Join('\n', said);
    }

    protected Task SaysAsync(QemuRuntime vms, string word) => SaysAsync(Name, vms, word);

    protected static Task SaysAsync(InstanceName name, QemuRuntime vms, string word) =>
        NodeFixture.UntilAsync(
            async () => (await SaidAsync(name, vms)).Contains(word, StringComparison.Ordinal),
            $"it says {word}",
            () => SaidAsync(name, vms));

    /// <summary>The process number of this test's QEMU.</summary>
    protected async Task<string> QemuAsync() =>
        NodeFixture.Succeeded(await Command.RunAsync("pgrep", ["-f", $"^[^ ]*qemu-system.* guest={Name}"])).Trim();

    /// <summary>Waits for the port to answer HTTP.</summary>
    protected static async Task<string> GetAsync(int port)
    {
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(1) };
        var answer = "";
        await NodeFixture.UntilAsync(
            async () => (answer = await http.GetStringAsync(new Uri($"http://127.0.0.1:{port}/"))).Length > 0,
            $"port {port} answers");
        return answer;
    }
}
