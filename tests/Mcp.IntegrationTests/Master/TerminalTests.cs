using System.Text.Json;
using Grpc.Core;
using Mcp.Daemon.Identity;
using Mcp.IntegrationTests.Hosts;
using Mcp.Protocol.V1;
using Mcp.TestKit.Fakes;

namespace Mcp.IntegrationTests.Master;

/// <summary>The published CLI on a terminal (util-linux's script makes one), and a node that sends control characters.</summary>
public sealed class TerminalTests : IDisposable
{
    // Clears the screen, sets the title, turns text around; a C1 control; a bell.
    private const string Evil = "x\e[2J\e]0;owned\a\u009b31m\u202Eok\r\b";
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-terminal").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task Control_characters_of_a_node_reach_no_terminal()
    {
        using var authority = CertificateAuthority.Create(_directory, "test", TimeProvider.System.GetUtcNow());
        await using var agents = await FakeAgents.StartAsync(["evil"], authority);
        await File.WriteAllTextAsync(
            Path.Combine(_directory, "login.json"),
            JsonSerializer.Serialize(new { agents["evil"].Address, Ca = authority.Certificate.ExportCertificatePem(), Token = "any" }));
        var file = Path.Combine(_directory, "blog.toml");
        await File.WriteAllTextAsync(file, "name = \"blog\"\n[[components]]\nname = \"web\"\nimage = \"example.com/hello:v1\"\n");
        agents["evil"].Told = new StatusReply
        {
            Node = "evil",
            Components = { new ComponentStatus { Service = Evil, Component = Evil, Observed = Evil } },
            Drift = { new Protocol.V1.Drift { Instance = Evil, What = Evil } },
        };
        agents["evil"].Telling = async (output, ct) =>
        {
            await output.WriteAsync(new StepEvent { Kind = StepEvent.Types.Kind.Done, Step = Evil, Detail = Evil }, ct);
            throw new RpcException(
                new Status(StatusCode.Aborted, Evil),
                new Metadata { { "mcp-hint-bin", System.Text.Encoding.UTF8.GetBytes(Evil) } });
        };
        foreach (var command in (string[])["status -o wide", "list -o wide", $"deploy {file}"])
        {
            var output = await OnTerminalAsync(command);
            Assert.Contains(@"x\x1B[2J\x1B]0;owned\x07\x9B31m\u202Eok\x0D\x08", output, StringComparison.Ordinal);
            foreach (var control in (string[])["\e[2J", "\e]0", "\a", "\u009b", "\u202E", "\b"])
                Assert.DoesNotContain(control, output, StringComparison.Ordinal);
        }
    }

    private async Task<string> OnTerminalAsync(string command) =>
        (await Command.RunAsync(
            "script",
            ["-qec", $"{Path.Combine(Command.Bin, "mcp")} {command}", "/dev/null"],
            new Dictionary<string, string> { ["MCP_HOME"] = _directory, ["TERM"] = "xterm", ["NO_COLOR"] = "1" })).Output;
}
