using Mcp.Model.Names;
using Mcp.Runtimes.Qemu;
using Mcp.Runtimes.Qemu.Network;

namespace Mcp.IntegrationTests.Hosts;

/// <summary>A state directory for VMs, longer than a Unix address may be, with the published keeper, real QEMU under TCG, and the stand-in
/// for ops. Fails what leaves a process behind.</summary>
public sealed class VmHost : IAsyncLifetime
{
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-vms").FullName;

    public VmHost()
    {
        Options = new QemuOptions(Path.Combine(_directory, new string('d', 100), "state"), [Path.Combine(Command.Bin, "mcp-agent"), "vm"])
        {
            Acceleration = Acceleration.Tcg,
            Ops = Path.Combine(Command.Repository, "tests", "ops-stand-in", "ops"),
            PullLimit = TimeSpan.FromSeconds(20),
            BuildLimit = TimeSpan.FromSeconds(20),
            ConsoleBytes = 200 * 1024,
        };
        Microvms = QemuRuntime.Microvms(Options, Bridge);
        Unikernels = QemuRuntime.Unikernels(Options, Bridge);
    }

    public QemuOptions Options { get; }

    /// <summary>Of this host alone, as other tests may run beside it.</summary>
    public IsolatedBridge Bridge { get; } = new("mcp-test0", "10.87.9");

    public QemuRuntime Microvms { get; }

    public QemuRuntime Unikernels { get; }

    public string DirectoryOf(QemuRuntime runtime, InstanceName name) => Path.Combine(Options.Vms, runtime.Name, name.ToString());

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        var left = (await Command.RunAsync("pgrep", ["-af", _directory])).Output;
        foreach (var pid in (await Command.RunAsync("pgrep", ["-f", _directory])).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            await Command.RunAsync("kill", ["-9", pid]);
        await Command.RunAsync("rm", ["-rf", _directory]);
        Bridge.Dispose();
        await Command.RunAsync("ip", ["link", "del", "mcp-test0"]);
        foreach (var family in (string[])["-4", "-6"])
            await Command.RunAsync("ip", [family, "rule", "del", "iif", "mcp-test0"]);
        Assert.True(left.Length == 0, $"left behind: {left}");
    }
}
