using System.Globalization;
using Mcp.IntegrationTests.Hosts;
using Mcp.Model;
using Mcp.Model.Definition;
using Mcp.Model.Instances;
using Mcp.Model.Names;
using Mcp.Runtimes;
using Mcp.Runtimes.Qemu;

namespace Mcp.IntegrationTests.Runtimes;

/// <summary>What guests, ops and other people do to VMs.</summary>
[Collection("vms")]
public sealed class VmFaultTests(NodeFixture node, VmHost host) : IClassFixture<VmHost>, IAsyncLifetime
{
    private readonly InstanceName _name = InstanceName.Parse($"fault-{Guid.NewGuid().ToString("N")[..8]}.web.1");

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await host.Microvms.RemoveAsync(_name, CancellationToken.None);
        await host.Unikernels.RemoveAsync(_name, CancellationToken.None);
    }

    [Theory]
    [InlineData("microvm")]
    [InlineData("unikernel")]
    public async Task A_programs_exit_code_is_the_VMs(string runtime)
    {
        var vms = runtime == "microvm" ? host.Microvms : host.Unikernels;
        await RunAsync(vms, "echo going; exit 42");
        var ended = await EndedAsync(vms);
        Assert.Equal((InstanceState.Exited, 42), (ended.State, ended.ExitCode));
    }

    [Fact]
    public async Task A_kernel_panic_is_told()
    {
        await RunAsync(host.Microvms, "echo c > /proc/sysrq-trigger");
        var ended = await EndedAsync(host.Microvms);
        Assert.Equal((InstanceState.Failed, null), (ended.State, ended.ExitCode));
        Assert.Contains("panicked", ended.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_guest_that_fills_its_console_stays_within_the_cap()
    {
        await RunAsync(host.Microvms, "while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done");
        var directory = host.DirectoryOf(host.Microvms, _name);
        // Far enough to have thrown the first files away.
        await NodeFixture.UntilAsync(() => Task.FromResult(File.Exists(Path.Combine(directory, "console.5.log"))), "the console went on to its fifth file");
        Assert.InRange(Directory.GetFiles(directory, "console.*.log").Sum(f => new FileInfo(f).Length), 1, (host.Options.ConsoleFiles + 1) * (host.Options.ConsoleBytes + 20_000));
    }

    [Fact]
    public async Task A_guest_that_ignores_the_power_button_is_killed_after_its_grace()
    {
        await RunAsync(host.Microvms, "trap '' TERM; echo deaf; while :; do sleep 1; done");
        await SaysAsync("deaf");
        await host.Microvms.StopAsync(_name, TimeSpan.FromSeconds(2), default);
        var ended = (await host.Microvms.InspectAsync(_name, default))!;
        Assert.Equal((InstanceState.Exited, 137), (ended.State, ended.ExitCode));
    }

    [Fact]
    public async Task A_VM_whose_monitor_is_gone_is_stopped_all_the_same()
    {
        await RunAsync(host.Microvms, "echo here; sleep 1000");
        File.Delete(Path.Combine(host.DirectoryOf(host.Microvms, _name), "qmp.sock"));
        Assert.Equal(InstanceState.Running, (await host.Microvms.InspectAsync(_name, default))!.State);
        await host.Microvms.StopAsync(_name, TimeSpan.FromSeconds(2), default);
        Assert.Equal(InstanceState.Exited, (await host.Microvms.InspectAsync(_name, default))!.State);
    }

    [Fact]
    public async Task A_VM_dies_with_its_keeper_and_starts_again()
    {
        await RunAsync(host.Microvms, "echo here; sleep 1000");
        var directory = host.DirectoryOf(host.Microvms, _name);
        var keeper = NodeFixture.Succeeded(await Command.RunAsync("pgrep", ["-f", $"mcp-agent vm {directory}"]));
        NodeFixture.Succeeded(await Command.RunAsync("kill", ["-9", keeper.Trim()]));
        var ended = await EndedAsync(host.Microvms);
        Assert.Equal(InstanceState.Failed, ended.State);
        await NodeFixture.UntilAsync(async () => (await Command.RunAsync("pgrep", ["-f", $"guest={_name}"])).Output.Length == 0, "QEMU is gone too");
        await host.Microvms.StartAsync(_name, default);
        Assert.Equal(InstanceState.Running, (await host.Microvms.InspectAsync(_name, default))!.State);
    }

    [Fact]
    public async Task A_half_written_VM_is_no_VM_and_is_replaced()
    {
        var directory = host.DirectoryOf(host.Microvms, _name);
        Directory.CreateDirectory(directory);
        await File.WriteAllTextAsync(Path.Combine(directory, "vm.json"), "{ \"name\": \"fau");
        Assert.Null(await host.Microvms.InspectAsync(_name, default));
        Assert.DoesNotContain(await host.Microvms.ListAsync(default), v => v.Name == _name);
        await RunAsync(host.Microvms, "sleep 1000");
        Assert.Equal(InstanceState.Running, (await host.Microvms.InspectAsync(_name, default))!.State);
    }

    [Theory]
    [InlineData("fail", "no route to host")]
    [InlineData("silent", "no image")]
    [InlineData("hang", "did not end within 20 s")]
    public async Task An_ops_that_fails_says_why_and_leaves_nothing(string fault, string says)
    {
        var ops = Directory.CreateDirectory(Path.Combine(host.Options.State, "ops")).FullName;
        await File.WriteAllTextAsync(Path.Combine(ops, "fault"), fault);
        try
        {
            var e = await Assert.ThrowsAsync<McpException>(() => RunAsync(host.Unikernels, $"echo never {fault}"));
            Assert.Equal("unikernel.build", e.Code);
            Assert.Contains(says, e.Message, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(Path.Combine(ops, "fault"));
        }

        Assert.Null(await host.Unikernels.InspectAsync(_name, default));
        Assert.Empty(Directory.GetDirectories(host.Options.Images, "*.half", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task The_same_unikernel_is_built_once()
    {
        var log = Path.Combine(host.Options.State, "ops", "builds.log");
        await RunAsync(host.Unikernels, "echo once; sleep 1000");
        var builds = (await File.ReadAllLinesAsync(log)).Length;
        await host.Unikernels.RemoveAsync(_name, default);
        await RunAsync(host.Unikernels, "echo once; sleep 1000");
        Assert.Equal(builds, (await File.ReadAllLinesAsync(log)).Length);
    }

    [Fact]
    public async Task Volumes_of_a_microvm_are_seen_live_and_read_only_ones_refuse_writing()
    {
        var shared = Directory.CreateTempSubdirectory("mcp-volume").FullName;
        await File.WriteAllTextAsync(Path.Combine(shared, "in"), "from the host");
        await RunAsync(host.Microvms, "cat /data/in > /data/out; echo x > /fixed/no || echo refused; sleep 1000", $"volumes = [\"{shared}:/data\", \"{shared}:/fixed:ro\"]");
        await SaysAsync("refused");
        Assert.Equal("from the host", await File.ReadAllTextAsync(Path.Combine(shared, "out")));
        await host.Microvms.RemoveAsync(_name, default);
        Directory.Delete(shared, recursive: true);
    }

    private async Task RunAsync(QemuRuntime vms, string script, string extra = "")
    {
        // The image's entry point is a shell with a script of its own: the script is what this says instead.
        var component = ServiceFile.Parse($"""
            name = "{_name.Service}"
            [[components]]
            name = "web"
            runtime = "{vms.Name}"
            image = "{node.Image("shell")}"
            cmd = ["-c", '''{script.Replace("cat ", "busybox cat ", StringComparison.Ordinal).Replace("sleep ", "busybox sleep ", StringComparison.Ordinal)}''']
            memory_mb = 128
            {extra}
            """, "fault").Components[0];
        await vms.PullAsync(component.Image, null, default);
        await vms.RunAsync(new InstanceSpec(_name, component, SpecHash.Of(component), new Dictionary<string, string> { ["PORT"] = "8080" }, []), default);
    }

    private async Task<InstanceInfo> EndedAsync(QemuRuntime vms)
    {
        InstanceInfo? info = null;
        await NodeFixture.UntilAsync(async () => (info = await vms.InspectAsync(_name, default)) is { State: not InstanceState.Running }, "it has ended", () => SaidAsync(vms));
        return info!;
    }

    private async Task<string> SaidAsync(QemuRuntime vms)
    {
        var said = new List<string>();
        await foreach (var line in vms.LogsAsync(_name, new LogOptions(), default))
            said.Add(line.Text);
        return $"its console: {string.Join('\n', said)}";
    }

    private async Task SaysAsync(string word) => await NodeFixture.UntilAsync(async () =>
    {
        await foreach (var line in host.Microvms.LogsAsync(_name, new LogOptions(), default))
        {
            if (line.Text.Contains(word, StringComparison.Ordinal))
                return true;
        }

        return false;
    }, string.Create(CultureInfo.InvariantCulture, $"it says {word}"));
}
