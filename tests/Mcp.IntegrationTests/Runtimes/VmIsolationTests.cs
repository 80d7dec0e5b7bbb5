using System.Globalization;
using Mcp.IntegrationTests.Hosts;
using Mcp.Model.Instances;
using Mcp.Runtimes;
using Mcp.Runtimes.Qemu;

namespace Mcp.IntegrationTests.Runtimes;

/// <summary>What a guest, or whoever breaks out of one into QEMU, has in hand.</summary>
public sealed class VmIsolationTests(NodeFixture node, VmHost host) : VmTest(node, host)
{
    private const long MiB = 1024 * 1024;
    private const string Groups = "/sys/fs/cgroup";

    private static bool Unified => File.Exists($"{Groups}/cgroup.controllers");

    [Fact]
    public async Task QEMU_has_no_more_memory_and_processor_time_than_agreed()
    {
        await RunAsync(Host.Microvms, "echo here; sleep 1000");
        var group = await GroupAsync("memory");
        Assert.Equal(
            Number((128 + 48 + 192) * MiB),
            (await File.ReadAllTextAsync(Path.Combine(group, Unified ? "memory.max" : "memory.limit_in_bytes"))).Trim());
        Assert.Equal(
            Unified ? "150000 100000" : "150000",
            (await File.ReadAllTextAsync(Path.Combine(await GroupAsync("cpu"), Unified ? "cpu.max" : "cpu.cfs_quota_us"))).Trim());
        await Host.Microvms.RemoveAsync(Name, default);
        Assert.False(Directory.Exists(group));
    }

    [Fact]
    public async Task A_VM_that_takes_too_much_memory_ends_and_says_so()
    {
        await RunAsync(Host.Microvms, "echo ready; sleep 3; dd if=/dev/zero of=/dev/shm/much bs=1M count=60; sleep 1000");
        await SaysAsync(Host.Microvms, "ready");
        var group = await GroupAsync("memory");
        var used = long.Parse(
            (await File.ReadAllTextAsync(Path.Combine(group, Unified ? "memory.current" : "memory.usage_in_bytes"))).Trim(),
            CultureInfo.InvariantCulture);
        await File.WriteAllTextAsync(Path.Combine(group, Unified ? "memory.max" : "memory.limit_in_bytes"), Number(used + (5 * MiB)));
        Assert.Contains("memory", (await EndedAsync(Host.Microvms)).Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("microvm")]
    [InlineData("unikernel")]
    public async Task QEMU_runs_as_the_configured_user(string runtime)
    {
        var shared = Directory.CreateTempSubdirectory("mcp-volume").FullName;
        await File.WriteAllTextAsync(Path.Combine(shared, "in"), "from the host");
        var vms = Runtime(runtime, "nobody");
        await RunAsync(vms, "echo \"saw $(cat /data/in)\"; sleep 4; exit 42", $"volumes = [\"{shared}:/data:ro\"]");
        Assert.Contains(
            "Uid:\t65534\t65534\t65534\t65534",
            await File.ReadAllTextAsync($"/proc/{await QemuAsync()}/status"),
            StringComparison.Ordinal);
        await SaysAsync(vms, "saw from the host");
        var ended = await EndedAsync(vms);
        Assert.Equal((InstanceState.Exited, 42, ""), (ended.State, ended.ExitCode, ended.Reason));
        // The same directory again, now with what that user left in it.
        await vms.StartAsync(Name, default);
        Assert.Equal(42, (await EndedAsync(vms)).ExitCode);
        Directory.Delete(shared, recursive: true);
    }

    [Fact]
    public async Task A_user_that_is_not_there_makes_the_runtime_unusable_and_is_named()
    {
        var unusable = Assert.IsType<RuntimeAvailability.Unusable>(await Runtime("microvm", "no-such-user").ProbeAsync(default));
        Assert.Contains("no-such-user", unusable.Reason, StringComparison.Ordinal);
        Assert.Contains("useradd", unusable.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_belongs_to_a_VM_is_for_nobody_elses_eyes_and_its_only_monitor_is_QMP()
    {
        await RunAsync(Host.Microvms, "sleep 1000");
        foreach (var directory in (string[])[Host.DirectoryOf(Host.Microvms, Name), Machine])
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(directory));
        var line = (await File.ReadAllTextAsync($"/proc/{await QemuAsync()}/cmdline")).Split('\0');
        Assert.Contains("-nodefaults", line);
        Assert.Contains("-no-user-config", line);
        Assert.Contains("on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny", line);
        Assert.All(line.Where((_, i) => i > 0 && line[i - 1] == "-mon"), m => Assert.EndsWith("mode=control", m, StringComparison.Ordinal));
        Assert.DoesNotContain("-monitor", line);
    }

    [Fact]
    public async Task A_KVM_on_which_guests_hang_is_not_used_and_asked_about_once()
    {
        Assert.SkipUnless(File.Exists("/dev/kvm"), "this machine has no /dev/kvm to be unusable");
        var place = Directory.CreateTempSubdirectory("mcp-kvm").FullName;
        var asked = Path.Combine(place, "asked");
        var program = Path.Combine(place, "qemu");
        await File.WriteAllTextAsync(
            program,
            $"#!/bin/sh\ncase \"$*\" in *'-accel kvm'*) echo asked >> {asked}; exec sleep 1000;; esac\nexec qemu-system-x86_64 \"$@\"\n");
        File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var options = Host.Options with { State = Path.Combine(place, "state"), Program = program, Acceleration = Acceleration.Auto };
        for (var i = 0; i < 2; i++)
        {
            var usable = Assert.IsType<RuntimeAvailability.Usable>(await QemuRuntime.Microvms(options, Host.Bridge).ProbeAsync(default));
            Assert.Contains(
                "TCG (slow), since /dev/kvm is there, but a guest hung on it for 3 s",
                usable.Version,
                StringComparison.Ordinal);
        }

        Assert.Single(await File.ReadAllLinesAsync(asked));
        var refused = QemuRuntime.Microvms(options with { Acceleration = Acceleration.Kvm }, Host.Bridge);
        Assert.Contains(
            "hung",
            Assert.IsType<RuntimeAvailability.Unusable>(await refused.ProbeAsync(default)).Reason,
            StringComparison.Ordinal);
        Directory.Delete(place, recursive: true);
    }

    private QemuRuntime Runtime(string runtime, string user)
    {
        var options = Host.Options with { User = user };
        return runtime == "microvm" ? QemuRuntime.Microvms(options, Host.Bridge) : QemuRuntime.Unikernels(options, Host.Bridge);
    }

    private async Task<string> GroupAsync(string controller)
    {
        var groups = (await File.ReadAllLinesAsync($"/proc/{await QemuAsync()}/cgroup")).Select(l => l.Split(':', 3));
        var path = groups.First(g => Unified ? g[0] == "0" : g[1].Split(',').Contains(controller))[2];
        Assert.StartsWith("/mcp/", path, StringComparison.Ordinal);
        return Unified ? Groups + path : $"{Groups}/{controller}{path}";
    }

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);
}
