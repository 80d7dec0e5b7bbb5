using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Grpc.Core;
using Grpc.Health.V1;
using Grpc.Net.Client;
using Mcp.IntegrationTests.Hosts;
using Mcp.Protocol.V1;

namespace Mcp.IntegrationTests.Agent;

[Collection("node")]
public class AccessTests(NodeFixture node)
{
    [Fact]
    public async Task A_viewer_may_look_and_not_touch()
    {
        var (home, login) = await LoginAsync([
            "token",
            "--config",
            Path.Combine(node.State, "agent.toml"),
            "--name",
            "vic",
            "--role",
            "viewer",
        ]);
        Assert.Equal(0, login.ExitCode);
        var environment = new Dictionary<string, string> { ["MCP_HOME"] = home };
        Assert.Equal(0, (await Command.RunAsync(Path.Combine(Command.Bin, "mcp"), ["status"], environment)).ExitCode);
        var (exitCode, _, error) = await Command.RunAsync(
            Path.Combine(Command.Bin, "mcp"),
            ["deploy", node.WriteService("no", "v1")],
            environment);
        Assert.Equal(4, exitCode);
        Assert.Contains("vic has the role viewer", error, StringComparison.Ordinal);
        Directory.Delete(home, recursive: true);
    }

    [Fact]
    public async Task A_viewer_sees_that_a_check_fails_and_not_what_it_asks_and_says()
    {
        const string check = "busybox test ! -e /tmp/ill || { echo WORD=hunter2; exit 7; }";
        var file = node.Write("hush", $$"""
            name = "hush"
            [[components]]
            name = "web"
            image = "{{node.Image("shell")}}"
            cmd = ["-c", "exec busybox sleep 1000"]
            health = { exec = ["sh", "-c", "{{check}}"], every = "200ms", start_period = "1s", on_unhealthy = "report" }
            """);
        NodeFixture.Succeeded(await node.McpAsync("deploy", file));
        NodeFixture.Succeeded(await node.PodmanAsync("exec", "hush.web.1", "busybox", "touch", "/tmp/ill"));
        await NodeFixture.UntilAsync(
            async () => (await node.McpAsync("events")).Output.Contains("hunter2", StringComparison.Ordinal),
            "the admin is told why",
            async () => (await node.McpAsync("status", "hush", "-o", "json")).Output);
        Assert.Contains("hunter2", (await node.McpAsync("status", "hush", "-o", "json")).Output, StringComparison.Ordinal);
        var config = Path.Combine(node.State, "agent.toml");
        var (home, login) = await LoginAsync(["token", "--config", config, "--name", "vic", "--role", "viewer"]);
        Assert.Equal(0, login.ExitCode);
        var environment = new Dictionary<string, string> { ["MCP_HOME"] = home };
        foreach (var arguments in (string[][])[["status", "hush", "-o", "json"], ["events"], ["events", "-o", "json"]])
        {
            var seen = NodeFixture.Succeeded(await Command.RunAsync(Path.Combine(Command.Bin, "mcp"), arguments, environment));
            Assert.Contains("exec: exit code 7", seen, StringComparison.Ordinal);
            Assert.DoesNotContain("hunter2", seen, StringComparison.Ordinal);
            Assert.DoesNotContain("busybox", seen, StringComparison.Ordinal);
        }

        NodeFixture.Succeeded(await node.McpAsync("undeploy", "hush"));
        Directory.Delete(home, recursive: true);
    }

    [Fact]
    public async Task An_expired_or_wrong_token_is_refused_with_exit_code_4()
    {
        var (home, login) = await LoginAsync([
            "token",
            "--config",
            Path.Combine(node.State, "agent.toml"),
            "--name",
            "old",
            "--role",
            "admin",
            "--days",
            "0.0000001",
        ]);
        Assert.Equal(4, login.ExitCode);
        Assert.Contains("expired", login.Error, StringComparison.Ordinal);
        Directory.Delete(home, recursive: true);
    }

    [Theory]
    [InlineData("", 2, "holds no token")]
    [InlineData("garbage", 2, "holds no token")]
    [InlineData("eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4Iiwicm9sZSI6ImFkbWluIn0.", 2, "holds no token")]
    [InlineData("eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4Iiwicm9sZSI6ImFkbWluIn0.c2lnbmF0dXJl", 4, "mcp login")]
    public async Task What_is_no_token_is_bad_usage_and_a_forged_one_is_refused(string token, int expected, string said)
    {
        var home = Directory.CreateTempSubdirectory("mcp-home").FullName;
        await File.WriteAllTextAsync(Path.Combine(home, "token"), token);
        var (exitCode, _, error) = await Command.RunAsync(
            Path.Combine(Command.Bin, "mcp"),
            ["login", "--direct", node.Address, "--ca", Path.Combine(node.State, "ca.crt"), "--token-file", Path.Combine(home, "token")],
            new Dictionary<string, string> { ["MCP_HOME"] = home });
        Assert.Equal(expected, exitCode);
        Assert.Contains(said, error, StringComparison.Ordinal);
        Directory.Delete(home, recursive: true);
    }

    [Fact]
    public async Task The_health_of_the_agent_is_told_without_a_token_and_over_tls_1_3_only()
    {
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, (await HealthAsync(SslProtocols.Tls13)).Status);
        await Assert.ThrowsAsync<RpcException>(() => HealthAsync(SslProtocols.Tls12));
    }

    [Fact]
    public async Task A_client_that_pins_another_ca_does_not_connect()
    {
        var other = Directory.CreateTempSubdirectory("mcp-other").FullName;
        NodeFixture.Succeeded(await Command.RunAsync(
            Path.Combine(Command.Bin, "mcp-agent"),
            ["init", "--state", Path.Combine(other, "state"), "--listen", node.Address, "--name", "other"]));
        var result = await Command.RunAsync(
            Path.Combine(Command.Bin, "mcp"),
            [
                "login",
                "--direct",
                node.Address,
                "--ca",
                Path.Combine(other, "state", "ca.crt"),
                "--token-file",
                Path.Combine(node.State, "admin.token"),
            ],
            new Dictionary<string, string> { ["MCP_HOME"] = other });
        Assert.NotEqual(0, result.ExitCode);
        Assert.False(File.Exists(Path.Combine(other, "login.json")));
        Directory.Delete(other, recursive: true);
    }

    [Theory]
    [InlineData("admin.token")]
    [InlineData("ca.key")]
    [InlineData("server.pem")]
    [InlineData("token.key")]
    [InlineData("registry.db")]
    public void Secrets_are_readable_by_their_owner_only(string file) =>
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(node.State, file)));

    [Fact]
    public async Task A_second_agent_on_the_same_state_is_refused()
    {
        var (exitCode, _, error) = await Command.RunAsync(
            Path.Combine(Command.Bin, "mcp-agent"),
            ["run", "--config", Path.Combine(node.State, "agent.toml")]);
        Assert.Equal(1, exitCode);
        Assert.Contains("another mcp-agent", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_number_of_a_request_counts_only_from_the_master()
    {
        using var channel = Channel(SslProtocols.Tls13);
        var token = await File.ReadAllTextAsync(Path.Combine(node.State, "admin.token"));
        var admin = new Metadata { { "authorization", $"Bearer {token.Trim()}" } };
        // A service that the agent never heard of: whether the request is in order is asked first.
        foreach (var sequence in (long[])[long.MaxValue, 1])
        {
            var request = new ServiceRequest { Service = "numbered", Sequence = sequence };
            var refused = await Assert.ThrowsAsync<RpcException>(async () => await new Protocol.V1.Agent.AgentClient(channel).UndeployAsync(request, admin));
            Assert.Contains("there is no service numbered", refused.Status.Detail, StringComparison.Ordinal);
        }
    }

    private async Task<HealthCheckResponse> HealthAsync(SslProtocols protocols)
    {
        using var channel = Channel(protocols);
        return await new Health.HealthClient(channel).CheckAsync(new HealthCheckRequest());
    }

    private GrpcChannel Channel(SslProtocols protocols)
    {
        var authority = X509CertificateLoader.LoadCertificateFromFile(Path.Combine(node.State, "ca.crt"));
        var policy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            CustomTrustStore = { authority },
            RevocationMode = X509RevocationMode.NoCheck,
        };
        return GrpcChannel.ForAddress($"https://{node.Address}", new GrpcChannelOptions
        {
            HttpHandler = new SocketsHttpHandler
            {
                SslOptions = new SslClientAuthenticationOptions { EnabledSslProtocols = protocols, CertificateChainPolicy = policy },
            },
        });
    }

    private async Task<(string Home, (int ExitCode, string Output, string Error) Login)> LoginAsync(string[] tokenArguments)
    {
        var home = Directory.CreateTempSubdirectory("mcp-home").FullName;
        var token = Path.Combine(home, "token");
        await File.WriteAllTextAsync(
            token,
            NodeFixture.Succeeded(await Command.RunAsync(Path.Combine(Command.Bin, "mcp-agent"), tokenArguments)));
        return (home, await Command.RunAsync(
            Path.Combine(Command.Bin, "mcp"),
            ["login", "--direct", node.Address, "--ca", Path.Combine(node.State, "ca.crt"), "--token-file", token],
            new Dictionary<string, string> { ["MCP_HOME"] = home }));
    }
}
