using System.Globalization;
using Mcp.IntegrationTests.Hosts;
using Mcp.Model.Errors;
using Mcp.Model.Instances;
using Mcp.Runtimes.Qemu;

namespace Mcp.IntegrationTests.Runtimes;

/// <summary>What guests, ops and other people do to VMs.</summary>
[Collection("vms")]
public sealed class VmFaultTests(NodeFixture node, VmHost host) : VmTest(node, host)
{
    [Theory]
    [InlineData("microvm")]
    [InlineData("unikernel")]
    public async Task A_programs_exit_code_is_the_VMs(string runtime)
    {
        var vms = runtime == "microvm" ? Host.Microvms : Host.Unikernels;
        await RunAsync(vms, "echo going; exit 42");
        var ended = await EndedAsync(vms);
        Assert.Equal((InstanceState.Exited, 42), (ended.State, ended.ExitCode));
    }

    [Fact]
    public async Task A_kernel_panic_is_told()
    {
        await RunAsync(Host.Microvms, "echo c > /proc/sysrq-trigger");
        var ended = await EndedAsync(Host.Microvms);
        Assert.Equal((InstanceState.Failed, null), (ended.State, ended.ExitCode));
        Assert.Contains("panicked", ended.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_guest_that_fills_its_console_stays_within_the_cap()
    {
        await RunAsync(Host.Microvms, "while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done");
        var directory = Path.Combine(Host.Options.Logs, Host.Microvms.Name, Name.ToString());
        // Far enough to have thrown the first files away.
        await NodeFixture.UntilAsync(
            () => Task.FromResult(File.Exists(Path.Combine(directory, "console.5.log"))),
            "the console went on to its fifth file");
        Assert.InRange(
            Directory.GetFiles(directory, "console.*.log").Sum(f => new FileInfo(f).Length),
            1,
            (Host.Options.ConsoleFiles + 1) * (Host.Options.ConsoleBytes + 20_000));
    }

    [Fact]
    public async Task A_guest_that_ignores_the_power_button_is_killed_after_its_grace()
    {
        await RunAsync(Host.Microvms, "trap '' TERM; echo deaf; while :; do sleep 1; done");
        await SaysAsync(Host.Microvms, "deaf");
        await Host.Microvms.StopAsync(Name, TimeSpan.FromSeconds(2), default);
        var ended = (await Host.Microvms.InspectAsync(Name, default))!;
        Assert.Equal((InstanceState.Exited, 137), (ended.State, ended.ExitCode));
    }

    [Fact]
    public async Task A_VM_whose_monitor_is_gone_is_stopped_all_the_same()
    {
        await RunAsync(Host.Microvms, "echo here; sleep 1000");
        File.Delete(Path.Combine(Machine, "qmp.sock"));
        Assert.Equal(InstanceState.Running, (await Host.Microvms.InspectAsync(Name, default))!.State);
        await Host.Microvms.StopAsync(Name, TimeSpan.FromSeconds(2), default);
        Assert.Equal(InstanceState.Exited, (await Host.Microvms.InspectAsync(Name, default))!.State);
    }

    [Fact]
    public async Task A_VM_dies_with_its_keeper_and_starts_again()
    {
        await RunAsync(Host.Microvms, "echo here; sleep 1000");
        var directory = Host.DirectoryOf(Host.Microvms, Name);
        var keeper = NodeFixture.Succeeded(await Command.RunAsync("pgrep", ["-f", $"mcp-agent vm {directory}"]));
        NodeFixture.Succeeded(await Command.RunAsync("kill", ["-9", keeper.Trim()]));
        var ended = await EndedAsync(Host.Microvms);
        Assert.Equal(InstanceState.Failed, ended.State);
        await NodeFixture.UntilAsync(
            async () => (await Command.RunAsync("pgrep", ["-f", $"guest={Name}"])).Output.Length == 0,
            "QEMU is gone too");
        await Host.Microvms.StartAsync(Name, default);
        Assert.Equal(InstanceState.Running, (await Host.Microvms.InspectAsync(Name, default))!.State);
    }

    [Fact]
    public async Task A_half_written_VM_is_no_VM_and_is_replaced()
    {
        var directory = Host.DirectoryOf(Host.Microvms, Name);
        Directory.CreateDirectory(directory);
        await File.WriteAllTextAsync(Path.Combine(directory, "vm.json"), "{ \"name\": \"fau");
        Assert.Null(await Host.Microvms.InspectAsync(Name, default));
        Assert.DoesNotContain(await Host.Microvms.ListAsync(default), v => v.Name == Name);
        await RunAsync(Host.Microvms, "sleep 1000");
        Assert.Equal(InstanceState.Running, (await Host.Microvms.InspectAsync(Name, default))!.State);
    }

    [Fact]
    public async Task A_process_that_has_a_dead_keepers_number_is_neither_believed_nor_killed()
    {
        await RunAsync(Host.Microvms, "sleep 1000");
        var directory = Host.DirectoryOf(Host.Microvms, Name);
        NodeFixture.Succeeded(await Command.RunAsync(
            "kill",
            ["-9", NodeFixture.Succeeded(await Command.RunAsync("pgrep", ["-f", $"mcp-agent vm {directory}"])).Trim()]));
        await EndedAsync(Host.Microvms);
        using var innocent = Command.Start("sleep", ["1000"]);
        await File.WriteAllTextAsync(Path.Combine(directory, "keeper.lock"), innocent.Id.ToString(CultureInfo.InvariantCulture));
        Assert.Equal(InstanceState.Failed, (await Host.Microvms.InspectAsync(Name, default))!.State);
        await Host.Microvms.StopAsync(Name, TimeSpan.Zero, default);
        await Host.Microvms.RemoveAsync(Name, default);
        Assert.False(innocent.HasExited);
        innocent.Kill();
    }

    [Fact]
    public async Task An_image_with_zstd_layers_runs_too()
    {
        var zstd = Node.Image("zstd");
        NodeFixture.Succeeded(await Command.RunAsync(Path.Combine(Command.Repository, "scripts", "sample-image"), [zstd, "", "zstd"]));
        Assert.Contains(
            "tar+zstd",
            NodeFixture.Succeeded(await Command.RunAsync("skopeo", ["inspect", "--raw", "--tls-verify=false", $"docker://{zstd}"])),
            StringComparison.Ordinal);
        await RunAsync(Host.Microvms, "echo unpacked", image: zstd);
        await SaysAsync(Host.Microvms, "unpacked");
    }

    [Theory]
    [InlineData("fail", "no route to host")]
    [InlineData("silent", "no image")]
    [InlineData("hang", "did not end within 20 s")]
    public async Task An_ops_that_fails_says_why_and_leaves_nothing(string fault, string says)
    {
        var ops = Directory.CreateDirectory(Path.Combine(Host.Options.State, "ops")).FullName;
        await File.WriteAllTextAsync(Path.Combine(ops, "fault"), fault);
        try
        {
            var e = await Assert.ThrowsAsync<McpException>(() => RunAsync(Host.Unikernels, $"echo never {fault}"));
            Assert.Equal(ErrorCode.UnikernelBuild, e.Code);
            Assert.Contains(says, e.Message, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(Path.Combine(ops, "fault"));
        }

        Assert.Null(await Host.Unikernels.InspectAsync(Name, default));
        Assert.Empty(Directory.GetDirectories(Host.Options.Images, "*.half", SearchOption.AllDirectories));
    }

    [Theory]
    [InlineData("microvm", 12)]
    [InlineData("unikernel", 16)]
    public async Task A_disk_that_is_full_is_named_leaves_nothing_and_is_no_trouble_once_it_has_room(string runtime, int megabytes)
    {
        var place = Directory.CreateTempSubdirectory("mcp-small").FullName;
        NodeFixture.Succeeded(await Command.RunAsync("mount", ["-t", "tmpfs", "-o", $"size={megabytes}m", "tmpfs", place]));
        var options = Host.Options with { State = place };
        var vms = runtime == "microvm" ? QemuRuntime.Microvms(options, Host.Bridge) : QemuRuntime.Unikernels(options, Host.Bridge);
        try
        {
            var e = await Assert.ThrowsAsync<McpException>(() => RunAsync(vms, "sleep 1000"));
            Assert.Matches("(?i)no space|disk.*full", $"{e.Message} {e.Hint}");
            Assert.Empty(await vms.ListAsync(default));
            Assert.Empty(Directory.GetFileSystemEntries(place, "*.half", SearchOption.AllDirectories));
            NodeFixture.Succeeded(await Command.RunAsync("mount", ["-o", "remount,size=400m", place]));
            await RunAsync(vms, "sleep 1000");
            Assert.Equal(InstanceState.Running, (await vms.InspectAsync(Name, default))!.State);
        }
        finally
        {
            await vms.RemoveAsync(Name, default);
            NodeFixture.Succeeded(await Command.RunAsync("umount", [place]));
            Directory.Delete(place);
        }
    }

    [Fact]
    public async Task The_same_unikernel_is_built_once()
    {
        var log = Path.Combine(Host.Options.State, "ops", "builds.log");
        await RunAsync(Host.Unikernels, "echo once; sleep 1000");
        var builds = (await File.ReadAllLinesAsync(log)).Length;
        await Host.Unikernels.RemoveAsync(Name, default);
        await RunAsync(Host.Unikernels, "echo once; sleep 1000");
        Assert.Equal(builds, (await File.ReadAllLinesAsync(log)).Length);
    }

    [Fact]
    public async Task Volumes_of_a_microvm_are_seen_live_and_read_only_ones_refuse_writing()
    {
        var shared = Directory.CreateTempSubdirectory("mcp,volume").FullName;
        await File.WriteAllTextAsync(Path.Combine(shared, "in"), "from the host");
        await RunAsync(
            Host.Microvms,
            "cat /data/in > /data/out; busybox mount -o remount,rw /fixed; echo x > /fixed/no || echo refused; sleep 1000",
            $"volumes = [\"{shared}:/data\", \"{shared}:/fixed:ro\"]");
        await SaysAsync(Host.Microvms, "refused");
        Assert.Equal("from the host", await File.ReadAllTextAsync(Path.Combine(shared, "out")));
        // Though its root made the mount writable: the host is what refuses.
        Assert.False(File.Exists(Path.Combine(shared, "no")));
        await Host.Microvms.RemoveAsync(Name, default);
        Directory.Delete(shared, recursive: true);
    }
}
