using System.Diagnostics;
using System.Text.Json.Nodes;
using Mcp.IntegrationTests.Hosts;
using Mcp.Model.Definition;
using Mcp.Model.Errors;

namespace Mcp.IntegrationTests.Runtimes;

/// <summary>The channel into a microvm: what runs inside it, and what listens.</summary>
[Collection("vms")]
public sealed class VmChannelTests(NodeFixture node, VmHost host) : VmTest(node, host)
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task A_port_is_listened_on_once_somebody_else_than_the_guest_itself_can_connect()
    {
        await RunAsync(
            Host.Microvms,
            "busybox httpd -p 127.0.0.1:8081 -h /; busybox httpd -p [::1]:8082 -h /; echo early; while [ ! -e /go ]; do sleep 0.1; done; "
                + "busybox httpd -p 8080 -h /; echo late; sleep 1000",
            port: new FixedPort("127.0.0.1", NodeFixture.FreePort(), 8080));
        await SaysAsync(Host.Microvms, "early");
        foreach (var port in (int[])[8080, 8081, 8082])
            Assert.False(await ListensAsync(port));
        Assert.Equal((0, ""), await ExecAsync("/bin/busybox", "touch", "/go"));
        await SaysAsync(Host.Microvms, "late");
        Assert.True(await ListensAsync(8080));
        Assert.False(await ListensAsync(80));
    }

    [Fact]
    public async Task Arguments_arrive_as_they_are_and_the_exit_code_comes_back()
    {
        await RunAsync(Host.Microvms, "echo up; sleep 1000", "env = { WORD = \"it's here\" }");
        string[] awkward = ["two words", "a\nb\n", "$(x) `y` \\ \" ' *", "", "-n", "ä€", " "];
        var (code, output) = await ExecAsync(["/bin/sh", "-c", "for a in \"$@\"; do echo \"[$a]\"; done; exit 7", "sh", .. awkward]);
        Assert.Equal(7, code);
        Assert.Equal(string.Concat(awkward.Select(a => $"[{a}]\n")), output);
        // Found on the image's PATH, and nowhere else: busybox, which carries it out, is full of programs that the image has not.
        Assert.Equal((0, "8080 / 0\n"), await ExecAsync("sh", "-c", "echo $PORT $(pwd) $(busybox id -u)"));
        foreach (var absent in (string[])["no-such", "httpd", "/bin/no-such", ""])
        {
            (code, output) = await ExecAsync(absent);
            Assert.Equal(127, code);
            Assert.Contains($"{absent}: not found", output, StringComparison.Ordinal);
        }

        Assert.Equal(126, (await ExecAsync("/www")).ExitCode);
        Assert.Equal((137, ""), await ExecAsync("sh", "-c", "kill -9 $$"));
        Assert.Equal((0, "to stderr\n"), await ExecAsync("sh", "-c", "echo to stderr >&2"));
        Assert.Equal((1, ""), await ExecAsync("sh", "-c", "read line"));
    }

    [Fact]
    public async Task What_does_not_end_is_killed_at_its_limit_with_its_children_and_keeps_nobody_waiting()
    {
        await RunAsync(Host.Microvms, "echo up; sleep 1000");
        await ExecAsync("sh", "-c", "true");
        var clock = Stopwatch.StartNew();
        string[] hangs = ["sh", "-c", "busybox sleep 4321 & busybox sleep 4321"];
        // Its own end is an end, but the child keeps the output open.
        string[] leaves = ["sh", "-c", "echo left; busybox sleep 4321 & exit 3"];
        var hanging = Host.Microvms.ExecAsync(Name, hangs, TimeSpan.FromSeconds(4), default);
        var left = Host.Microvms.ExecAsync(Name, leaves, TimeSpan.FromSeconds(4), default);
        Assert.Equal((0, "quick\n"), await ExecAsync("sh", "-c", "echo quick"));
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(4), $"it waited {clock.Elapsed}");
        var e = await Assert.ThrowsAsync<McpException>(() => hanging);
        Assert.Equal(ErrorCode.ProgramHangs, e.Code);
        Assert.Equal((3, "left\n"), await left);
        Assert.InRange(clock.Elapsed.TotalSeconds, 4, 20);
        await NodeFixture.UntilAsync(
            async () => !(await ExecAsync("busybox", "ps")).Output.Contains("4321", StringComparison.Ordinal),
            "nothing of it is left",
            async () => (await ExecAsync("busybox", "ps")).Output);
        using var soon = new CancellationTokenSource(TimeSpan.FromMilliseconds(500));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Host.Microvms.ExecAsync(Name, hangs, s_limit, soon.Token));
        Assert.Equal(0, (await ExecAsync("sh", "-c", "true")).ExitCode);
    }

    [Fact]
    public async Task Output_is_cut_at_64_KiB_and_several_run_at_once()
    {
        await RunAsync(Host.Microvms, "echo up; sleep 1000");
        var (code, output) = await ExecAsync("sh", "-c", "i=0; while [ $i -lt 9000 ]; do echo \"line $i\"; i=$((i+1)); done; exit 5");
        Assert.Equal((5, 64 * 1024), (code, output.Length));
        var whole = string.Concat(Enumerable.Range(0, 9000).Select(i => $"line {i}\n"));
        Assert.Equal(whole[..(64 * 1024)], output);
        var answers = await Task.WhenAll(Enumerable.Range(0, 5).Select(n =>
            ExecAsync("sh", "-c", $"i=0; while [ $i -lt 2000 ]; do echo \"{n} $i\"; i=$((i+1)); done; exit {n}")));
        foreach (var (n, answer) in answers.Index())
        {
            Assert.Equal(n, answer.ExitCode);
            Assert.Equal(string.Concat(Enumerable.Range(0, 2000).Select(i => $"{n} {i}\n")), answer.Output);
        }
    }

    [Fact]
    public async Task It_runs_as_the_images_user_in_its_directory()
    {
        var image = await UserImageAsync();
        await RunAsync(Host.Microvms, "echo up; sleep 1000", image: image);
        Assert.Equal((0, "1234:2345 /tmp\n"), await ExecAsync("sh", "-c", "echo $(busybox id -u):$(busybox id -g) $(pwd)"));
        Assert.Equal(1, (await ExecAsync("sh", "-c", "echo x > /etc/hosts")).ExitCode);
        Assert.Equal(127, (await ExecAsync("absent")).ExitCode);
    }

    [Fact]
    public async Task The_channel_of_a_stopped_VM_says_so_and_works_again_after_a_start()
    {
        await RunAsync(Host.Microvms, "echo up; sleep 1000");
        Assert.Equal(0, (await ExecAsync("sh", "-c", "true")).ExitCode);
        var running = ExecAsync("sh", "-c", "busybox sleep 100");
        await NodeFixture.UntilAsync(
            async () => (await ExecAsync("busybox", "ps")).Output.Contains("sleep 100\n", StringComparison.Ordinal),
            "it runs");
        await Host.Microvms.StopAsync(Name, TimeSpan.Zero, default);
        foreach (var asked in (Task[])[running, ExecAsync("sh"), ListensAsync(80)])
            Assert.Equal(ErrorCode.GuestSilent, (await Assert.ThrowsAsync<McpException>(() => asked)).Code);
        await Host.Microvms.StartAsync(Name, default);
        Assert.Equal((0, "again\n"), await ExecAsync("sh", "-c", "echo again"));
    }

    [Fact]
    public async Task A_channel_that_was_killed_inside_is_silent_for_a_while_and_back_by_itself()
    {
        await RunAsync(
            Host.Microvms,
            "echo up; while [ ! -e /go ]; do sleep 0.1; done; "
                + "for p in /proc/[0-9]*; do busybox grep -q /chann[e]l $p/cmdline && kill -9 ${p#/proc/}; done; echo killed; sleep 1000");
        Assert.Equal(0, (await ExecAsync("busybox", "touch", "/go")).ExitCode);
        await SaysAsync(Host.Microvms, "killed");
        // Whoever asked in between hears nothing, and no longer than it wants.
        await NodeFixture.UntilAsync(
            async () =>
            {
                using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(3));
                return await Host.Microvms.ListensAsync(Name, 80, limit.Token) is false;
            },
            "it answers again");
        Assert.Equal((0, "again\n"), await ExecAsync("sh", "-c", "echo again"));
    }

    [Fact]
    public async Task A_VM_of_an_older_version_is_asked_as_before_and_runs_no_program()
    {
        await RunAsync(Host.Microvms, "echo up; sleep 1000");
        var file = Path.Combine(Host.DirectoryOf(Host.Microvms, Name), "vm.json");
        var record = JsonNode.Parse(await File.ReadAllTextAsync(file))!.AsObject();
        Assert.True(record.Remove("channel"));
        await File.WriteAllTextAsync(file, record.ToJsonString());
        Assert.Null(await Host.Microvms.ListensAsync(Name, 80, default));
        var e = await Assert.ThrowsAsync<McpException>(() => ExecAsync("sh"));
        Assert.Equal(ErrorCode.ExecUnsupported, e.Code);
        Assert.Contains("--force", e.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_unikernel_cannot_be_asked_unless_it_has_an_address_of_its_own()
    {
        await RunAsync(Host.Unikernels, "sleep 1000", port: new FixedPort("127.0.0.1", NodeFixture.FreePort(), 8080));
        Assert.Null(await Host.Unikernels.ListensAsync(Name, 8080, default));
        Assert.Equal(ErrorCode.ExecUnsupported, (await Assert.ThrowsAsync<McpException>(() =>
            Host.Unikernels.ExecAsync(Name, ["sh"], s_limit, default))).Code);
        await Host.Unikernels.RemoveAsync(Name, default);
        await RunAsync(
            Host.Unikernels,
            "echo up; sleep 5; busybox httpd -p 8080 -h /; sleep 1000",
            "network = \"bridge\"",
            new FixedPort("127.0.0.1", NodeFixture.FreePort(), 8080));
        await SaysAsync(Host.Unikernels, "up");
        Assert.False(await Host.Unikernels.ListensAsync(Name, 8080, default));
        await NodeFixture.UntilAsync(async () => await Host.Unikernels.ListensAsync(Name, 8080, default) is true, "it listens");
    }

    [Fact]
    public async Task Its_socket_is_the_owners_alone()
    {
        await RunAsync(Host.Microvms, "echo up; sleep 1000");
        Assert.True(File.Exists(Path.Combine(Machine, "control.sock")));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(Machine));
    }

    private Task<(int ExitCode, string Output)> ExecAsync(params string[] command) =>
        Host.Microvms.ExecAsync(Name, command, s_limit, default);

    private async Task<bool> ListensAsync(int port)
    {
        using var limit = new CancellationTokenSource(s_limit);
        return (await Host.Microvms.ListensAsync(Name, port, limit.Token))!.Value;
    }

    // The sample image, with a user.
    private async Task<string> UserImageAsync()
    {
        var root = Directory.CreateTempSubdirectory("mcp-user-image").FullName;
        var image = Node.Image("user");
        NodeFixture.Succeeded(await Command.RunAsync("mkdir", ["-p", $"{root}/bin", $"{root}/tmp"]));
        NodeFixture.Succeeded(await Command.RunAsync("cp", ["/bin/busybox", $"{root}/bin/busybox"]));
        NodeFixture.Succeeded(await Command.RunAsync("cp", ["/bin/busybox", $"{root}/bin/sh"]));
        const string About = "{\"Env\":[\"PATH=/bin\"],\"Entrypoint\":[\"/bin/sh\"],\"User\":\"1234:2345\",\"WorkingDir\":\"/tmp\"}";
        NodeFixture.Succeeded(await Command.RunAsync(Path.Combine(Command.Repository, "scripts", "push-image"), [root, image, About]));
        Directory.Delete(root, recursive: true);
        return image;
    }
}
