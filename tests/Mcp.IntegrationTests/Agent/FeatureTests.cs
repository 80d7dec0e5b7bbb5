using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Grpc.Health.V1;
using Grpc.HealthCheck;
using Mcp.IntegrationTests.Hosts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Mcp.IntegrationTests.Agent;

/// <summary>What a service file can ask for, on real containers.</summary>
[Collection("node")]
public class FeatureTests(NodeFixture node)
{
    [Fact]
    public async Task Fixed_ports_are_replaced_stop_first_and_rolled_back_when_the_new_generation_fails()
    {
        var port = NodeFixture.FreePort();
        string Fixed(string tag, string health) => node.WriteService("fixed", tag, health, $"ports = [\"127.0.0.1:{port}:8080\"]");
        NodeFixture.Succeeded(await node.McpAsync("deploy", Fixed("v1", "/")));
        NodeFixture.Succeeded(await node.McpAsync("deploy", Fixed("v2", "/")));
        using var http = new HttpClient();
        Assert.Equal("hello from v2\n", await http.GetStringAsync(new Uri($"http://127.0.0.1:{port}/")));
        Assert.Equal(1, (await node.McpAsync("deploy", Fixed("v1", "/missing"))).ExitCode);
        // The old generation was started again: it runs at once and listens a moment later.
        await NodeFixture.UntilAsync(
            async () => await http.GetStringAsync(new Uri($"http://127.0.0.1:{port}/")) == "hello from v2\n",
            "the old generation serves again");
        Assert.Equal(["fixed.web.2"], await node.ContainersAsync("fixed"));
        NodeFixture.Succeeded(await node.McpAsync("undeploy", "fixed"));
    }

    [Fact]
    public async Task Volumes_are_seen_inside_and_read_only_ones_stay_so()
    {
        var local = Path.GetTempFileName();
        await File.WriteAllTextAsync(local, "from the volume\n");
        NodeFixture.Succeeded(await node.McpAsync("push", "vol", local, "www/index.html"));
        File.SetUnixFileMode(Path.Combine(node.Files, "vol", "www", "index.html"), (UnixFileMode)0x1A4);
        File.Delete(local);
        var readOnly = $"volumes = [\"{node.Files}/vol/www:/www:ro\"]";
        NodeFixture.Succeeded(await node.McpAsync("deploy", node.WriteService("vol", "v1", extra: readOnly)));
        Assert.Equal("from the volume", await node.GetAsync("vol"));
        Assert.NotEqual(0, (await node.PodmanAsync("exec", "vol.web.1", "busybox", "touch", "/www/x")).ExitCode);
        var (exitCode, _, error) = await node.McpAsync(
            "deploy",
            node.WriteService("vol", "v1", extra: "volumes = [\"/nonexistent/x:/www\"]"));
        Assert.Equal(1, exitCode);
        Assert.Contains("/nonexistent/x does not exist", error, StringComparison.Ordinal);
        Assert.Equal("from the volume", await node.GetAsync("vol"));
        NodeFixture.Succeeded(await node.McpAsync("undeploy", "vol"));
    }

    [Theory]
    [InlineData("container")]
    [InlineData("microvm")]
    public async Task A_program_is_asked_to_end_by_the_signal_that_its_file_names(string runtime)
    {
        var name = $"signal-{runtime}";
        NodeFixture.Succeeded(await node.McpAsync("deploy", node.Write(name, $"""
            name = "{name}"
            [[components]]
            name = "worker"
            runtime = "{runtime}"
            image = "{node.Image("shell")}"
            stop_signal = "SIGUSR1"
            cmd = ["-c", "trap 'echo asked nicely; exit 0' USR1; trap '' TERM; echo ready; while :; do busybox sleep 0.1; done"]
            restart = "no"
            """)));
        async Task<string> LogAsync() => (await node.McpAsync("logs", name)).Output;
        await NodeFixture.UntilAsync(async () => (await LogAsync()).Contains("ready", StringComparison.Ordinal), "it is ready", LogAsync);
        var clock = System.Diagnostics.Stopwatch.StartNew();
        NodeFixture.Succeeded(await node.McpAsync("stop", name));
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(9), $"it took {clock.Elapsed}, so it was killed");
        Assert.Contains("asked nicely", await LogAsync(), StringComparison.Ordinal);
        NodeFixture.Succeeded(await node.McpAsync("undeploy", name));
    }

    [Theory]
    [InlineData("container")]
    [InlineData("microvm")]
    public async Task A_program_finds_what_programs_expect_of_a_machine(string runtime)
    {
        var name = $"expects-{runtime}";
        const string program = "echo said to a file > /dev/stdout; echo and to another > /dev/fd/2;"
            + " busybox ls -ld /dev/shm | busybox cut -c1-10; echo shared > /dev/shm/mine && echo shm is writable;"
            + " for d in /run /dev/pts /dev/mqueue; do [ -d $d ] && echo has $d; done;"
            + " echo ready; while :; do busybox sleep 0.1; done";
        NodeFixture.Succeeded(await node.McpAsync("deploy", node.Write(name, $"""
            name = "{name}"
            [[components]]
            name = "worker"
            runtime = "{runtime}"
            image = "{node.Image("shell")}"
            cmd = ["-c", "{program}"]
            stop_grace = "1s"
            """)));
        async Task<string> LogAsync()
        {
            var (_, output, error) = await node.McpAsync("logs", name);
            return output + error;
        }

        await NodeFixture.UntilAsync(async () => (await LogAsync()).Contains("ready", StringComparison.Ordinal), "it is ready", LogAsync);
        var log = await LogAsync();
        foreach (var line in (string[])[
            "said to a file", "and to another", "drwxrwxrwt", "shm is writable", "has /run", "has /dev/pts", "has /dev/mqueue",
        ])
        {
            Assert.Contains(line, log, StringComparison.Ordinal);
        }

        NodeFixture.Succeeded(await node.McpAsync("undeploy", name));
    }

    [Fact]
    public async Task One_component_is_deployed_alone()
    {
        string Two(string tag) => node.Write("pair", $"""
            name = "pair"
            [[components]]
            name = "left"
            image = "{node.Image(tag)}"
            [[components]]
            name = "right"
            image = "{node.Image(tag)}"
            """);
        NodeFixture.Succeeded(await node.McpAsync("deploy", Two("v1")));
        NodeFixture.Succeeded(await node.McpAsync("deploy", Two("v2") + "/right"));
        Assert.Equal(["pair.left.1", "pair.right.2"], (await node.ContainersAsync("pair")).Order());
        var show = NodeFixture.Succeeded(await node.McpAsync("service", "show", "pair"));
        Assert.Contains(node.Image("v1"), show, StringComparison.Ordinal);
        Assert.Contains(node.Image("v2"), show, StringComparison.Ordinal);
        Assert.Equal(1, (await node.McpAsync("deploy", Two("v2") + "/middle")).ExitCode);
        NodeFixture.Succeeded(await node.McpAsync("undeploy", "pair"));
    }

    [Theory]
    [InlineData("true", 0)]
    [InlineData("false", 1)]
    public async Task An_exec_health_check_runs_inside(string command, int exitCode)
    {
        var file = node.Write("exec", $$"""
            name = "exec"
            [[components]]
            name = "web"
            image = "{{node.Image("v1")}}"
            health = { exec = ["busybox", "{{command}}"], interval = "100ms", retries = 3 }
            """);
        var result = await node.McpAsync("deploy", file);
        Assert.True(exitCode == result.ExitCode, result.Error);
        if (exitCode == 0)
            NodeFixture.Succeeded(await node.McpAsync("undeploy", "exec"));
        else
            Assert.Contains("exec busybox false", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_grpc_health_check_asks_a_grpc_server_and_network_host_uses_the_hosts_ports()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.ConfigureKestrel(k => k.Listen(IPAddress.Loopback, 0, l => l.Protocols = HttpProtocols.Http2));
        builder.Logging.ClearProviders();
        builder.Services.AddGrpc();
        var health = new HealthServiceImpl();
        builder.Services.AddSingleton(health);
        await using var server = builder.Build();
        server.MapGrpcService<HealthServiceImpl>();
        await server.StartAsync();
        var port = NodeFixture.FreePort();
        var file = node.Write("grpc", $$"""
            name = "grpc"
            [[components]]
            name = "web"
            image = "{{node.Image("shell")}}"
            network = "host"
            {{Relay(port, server)}}
            health = { grpc = true, port = {{port}}, interval = "100ms", retries = 3 }
            """);
        health.SetStatus("", HealthCheckResponse.Types.ServingStatus.NotServing);
        var (exitCode, _, error) = await node.McpAsync("deploy", file);
        Assert.Equal(1, exitCode);
        Assert.Contains("not SERVING", error, StringComparison.Ordinal);
        health.SetStatus("", HealthCheckResponse.Types.ServingStatus.Serving);
        NodeFixture.Succeeded(await node.McpAsync("deploy", file));
        NodeFixture.Succeeded(await node.McpAsync("undeploy", "grpc"));
    }

    [Fact]
    public async Task An_l4_route_of_a_deployed_service_is_passed_through_by_the_node_proxy()
    {
        using var key = ECDsa.Create();
        var now = TimeProvider.System.GetUtcNow();
        using var made = new CertificateRequest("CN=deep.example.com", key, HashAlgorithmName.SHA256).CreateSelfSigned(
            now.AddDays(-1),
            now.AddDays(1));
        using var certificate = X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pkcs12), null);
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.ConfigureKestrel(k => k.Listen(IPAddress.Loopback, 0, l => l.UseHttps(certificate)));
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.Logging.ClearProviders();
        await using var server = builder.Build();
        await server.StartAsync();
        var port = NodeFixture.FreePort();
        NodeFixture.Succeeded(await node.McpAsync("deploy", node.Write("deep", $"""
            name = "deep"
            [[components]]
            name = "web"
            image = "{node.Image("shell")}"
            network = "host"
            {Relay(port, server)}
            [[components.routes]]
            name = "tls"
            port = {port}
            mode = "l4"
            hostname = "deep.example.com"
            """)));
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, node.ProxyTlsPort);
        await using var tls = new SslStream(client.GetStream());
        await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
        {
            TargetHost = "deep.example.com",
            RemoteCertificateValidationCallback = (_, _, _, _) => true,
        });
        Assert.Equal(certificate.Thumbprint, ((X509Certificate2)tls.RemoteCertificate!).Thumbprint);
        NodeFixture.Succeeded(await node.McpAsync("undeploy", "deep"));
    }

    // On the host network only what the instance itself listens on counts: it passes all on to the test's server.
    private static string Relay(int port, WebApplication server) =>
        $"cmd = [\"-c\", \"exec busybox nc -ll -p {port} -e busybox nc 127.0.0.1 {new Uri(server.Urls.First()).Port}\"]";

    [Fact]
    public async Task Logs_are_followed_into_the_next_generation_and_cut_by_time()
    {
        NodeFixture.Succeeded(await node.McpAsync("deploy", node.WriteService("talk", "v1")));
        using var follow = node.StartMcp("logs", "talk", "-f", "--since", "1h");
        var lines = new List<string>();
        var reading = Task.Run(async () =>
        {
            while (await follow.StandardOutput.ReadLineAsync() is { } line)
            {
                lock (lines)
                    lines.Add(line);
            }
        });
        await NodeFixture.UntilAsync(() => Task.FromResult(Count() == 1), "the first generation's line is followed");
        NodeFixture.Succeeded(await node.McpAsync("deploy", node.WriteService("talk", "v2")));
        await NodeFixture.UntilAsync(() => Task.FromResult(Count() == 2), "the second generation's line is followed", Explain);
        NodeFixture.Succeeded(await node.McpAsync("undeploy", "talk"));
        await reading.WaitAsync(TimeSpan.FromSeconds(20));

        async Task<string> Explain()
        {
            var mcp = follow.HasExited ? $"mcp ended with {follow.ExitCode}: {await follow.StandardError.ReadToEndAsync()}" : "mcp follows";
            lock (lines)
                return $"{mcp}; read so far: {string.Join(" | ", lines)}";
        }

        int Count()
        {
            lock (lines)
                return lines.Count(l => l.Contains("listening on 8080", StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task Events_are_followed_and_a_stranger_is_shown_purged_or_adopted()
    {
        NodeFixture.Succeeded(await node.McpAsync("deploy", node.WriteService("known", "v1")));
        using var follow = node.StartMcp("events", "-f", "-n", "1", "-o", "json");
        await NodeFixture.UntilAsync(
            async () => (await follow.StandardOutput.ReadLineAsync())!.Contains("known", StringComparison.Ordinal),
            "the last event comes first");
        foreach (var stranger in (string[])["stray.web.1", "other.web.3"])
        {
            Assert.Equal(
                0,
                (await node.PodmanAsync(
                    "run",
                    "-d",
                    "--name",
                    stranger,
                    "--label",
                    $"mcp.service={stranger.Split('.')[0]}",
                    node.Image("v1"))).ExitCode);
        }

        NodeFixture.Succeeded(await node.McpAsync("sync"));
        Assert.Contains(
            "stray.web.1 is not known to the registry",
            NodeFixture.Succeeded(await node.McpAsync("status")),
            StringComparison.Ordinal);
        Assert.Equal(1, (await node.McpAsync("adopt", "stray")).ExitCode);
        Assert.Contains(
            "would remove stray.web.1",
            NodeFixture.Succeeded(await node.McpAsync("purge", "--dry-run")),
            StringComparison.Ordinal);
        Assert.Equal(2, (await node.ContainersAsync("stray")).Length + (await node.ContainersAsync("other")).Length);
        NodeFixture.Succeeded(await node.McpAsync("purge"));
        Assert.Empty(await node.ContainersAsync("stray"));
        Assert.Equal(["known.web.1"], await node.ContainersAsync("known"));
        NodeFixture.Succeeded(await node.McpAsync("undeploy", "known"));
        await NodeFixture.UntilAsync(
            async () => (await follow.StandardOutput.ReadLineAsync())!.Contains("undeploy.done", StringComparison.Ordinal),
            "the undeploy is followed");
        follow.Kill();
    }

    [Fact]
    public async Task What_a_stopped_or_restarted_service_does_is_what_status_says()
    {
        NodeFixture.Succeeded(await node.McpAsync("deploy", node.WriteService("cycle", "v1")));
        Assert.Contains("stopped cycle.web.1", NodeFixture.Succeeded(await node.McpAsync("stop", "cycle/web")), StringComparison.Ordinal);
        Assert.Contains(
            "\"observed\":\"exited\"",
            NodeFixture.Succeeded(await node.McpAsync("status", "cycle", "-o", "json")),
            StringComparison.Ordinal);
        var stopped = await node.AnswerAsync("cycle");
        Assert.Equal((503, "the service behind this host is stopped\n"), stopped);
        Assert.Equal(404, (await node.AnswerAsync("nobody")).Status);
        Assert.Contains("restarted cycle.web.1", NodeFixture.Succeeded(await node.McpAsync("restart", "cycle")), StringComparison.Ordinal);
        await NodeFixture.UntilAsync(async () => await node.GetAsync("cycle") == "hello from v1", "the restarted service serves");
        NodeFixture.Succeeded(await node.McpAsync("stop", "cycle"));
        Assert.Equal(stopped, await node.AnswerAsync("cycle"));
        NodeFixture.Succeeded(await node.McpAsync("start", "cycle"));
        Assert.Equal("hello from v1", await node.GetAsync("cycle"));
        NodeFixture.Succeeded(await node.McpAsync("undeploy", "cycle"));
    }

    [Fact]
    public async Task Services_are_exported_edited_and_completed()
    {
        NodeFixture.Succeeded(await node.McpAsync("deploy", node.WriteService("edit", "v1")));
        var exported = Path.Combine(node.State, "edit.toml");
        NodeFixture.Succeeded(await node.McpAsync("service", "export", "edit", exported));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(exported));
        NodeFixture.Succeeded(await node.McpAsync("service", "validate", exported));
        var plan = NodeFixture.Succeeded(await node.McpAsync("plan", exported));
        Assert.Contains("unchanged", plan, StringComparison.Ordinal);
        await DeployAsPlannedAsync(exported);
        NodeFixture.Succeeded(await node.McpAsync(
            ["service", "edit", "edit"],
            new Dictionary<string, string> { ["EDITOR"] = "sed -i s/:v1/:v2/" }));
        Assert.Equal("hello from v2", await node.GetAsync("edit"));
        Assert.Equal(
            "unchanged\n",
            NodeFixture.Succeeded(await node.McpAsync(
                ["service", "edit", "edit"],
                new Dictionary<string, string> { ["EDITOR"] = "true" })));
        foreach (var shell in (string[])["bash", "zsh", "fish"])
            Assert.Contains("mcp", NodeFixture.Succeeded(await node.McpAsync("completion", shell)), StringComparison.Ordinal);
        var completed = await Command.RunAsync(
            "bash",
            [
                "-c",
                $"PATH={Command.Bin}:$PATH; source <(mcp completion bash); COMP_LINE='mcp und' COMP_POINT=7 COMP_WORDS=(mcp und) "
                    + $"COMP_CWORD=1; _mcp; echo ${{COMPREPLY[@]}}",
            ]);
        Assert.Equal("undeploy\n", completed.Output);
        Assert.Contains("container (4.", NodeFixture.Succeeded(await node.McpAsync("node", "show")), StringComparison.Ordinal);
        Assert.Contains("ok      connection", NodeFixture.Succeeded(await node.McpAsync("doctor")), StringComparison.Ordinal);
        NodeFixture.Succeeded(await node.McpAsync("undeploy", "edit"));
    }

    private async Task DeployAsPlannedAsync(string exported)
    {
        var env =
            $"env = {{ LOG_LEVEL = \"debug\", DB_PASSWORD = \"hunter2\", TITLE = \"{new string('x', 100)}\\u001B\" }}\ndrain = \"1s\"";
        var wanted = node.Write(
            "edit",
            (await File.ReadAllTextAsync(exported)).Replace("health = {", $"{env}\nhealth = {{", StringComparison.Ordinal));
        var lines = NodeFixture.Succeeded(await node.McpAsync("plan", wanted)).TrimEnd().Split('\n');
        Assert.Equal(
            [
                "replace  web  changed",
                "    env.DB_PASSWORD  (not set) -> (hidden)",
                "    env.LOG_LEVEL    (not set) -> debug",
                "    env.TITLE",
                "        (not set)",
                $"     -> \"{new string('x', 56)}...",
                "    drain            10s -> 1s",
            ],
            lines[..^1]);
        Assert.All(lines, l => Assert.InRange(l.Length, 1, 80));
        Assert.Matches("^plan [0-9a-f]{16}$", lines[^1]);
        var id = lines[^1]["plan ".Length..];
        var json = System.Text.Json.JsonDocument.Parse(NodeFixture.Succeeded(await node.McpAsync(
            "plan",
            wanted,
            "-o",
            "json"))).RootElement;
        Assert.Equal(
            (id, "drain"),
            (json.GetProperty("id").GetString(), json.GetProperty("changes")[0].GetProperty("fields")[3].GetProperty("path").GetString()));
        Assert.Equal(2, (await node.McpAsync("deploy", wanted, "--plan", "what")).ExitCode);
        NodeFixture.Succeeded(await node.McpAsync("deploy", wanted, "--plan", id));
        var (exitCode, output, error) = await node.McpAsync("deploy", wanted, "--plan", id);
        Assert.Equal((1, ""), (exitCode, output));
        Assert.Contains("has changed since that plan was made; nothing was done\n  -> mcp plan shows", error, StringComparison.Ordinal);
        Assert.Contains("edit.web.2", (await node.McpAsync("ps")).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_lost_podman_store_is_filled_again_from_the_registry()
    {
        NodeFixture.Succeeded(await node.McpAsync("deploy", node.WriteService("lost", "v1")));
        foreach (var id in (await node.PodmanAsync("ps", "-aq")).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            await node.PodmanAsync("rm", "-f", "-t", "0", id);
        await node.PodmanAsync("rmi", "-af");
        await NodeFixture.UntilAsync(
            async () => await node.GetAsync("lost") == "hello from v1",
            "the service is made anew",
            async () => (await node.McpAsync("events", "-n", "20")).Output);
        NodeFixture.Succeeded(await node.McpAsync("undeploy", "lost"));
    }
}
