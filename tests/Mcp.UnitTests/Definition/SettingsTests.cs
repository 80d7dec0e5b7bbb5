using System.Net;
using Mcp.Agent;
using Mcp.Agent.Edge;
using Mcp.Master;
using Mcp.Model.Definition;
using Mcp.Model.Definition.Keys;
using Mcp.Model.Names;
using Mcp.TestKit;

namespace Mcp.UnitTests.Definition;

/// <summary>agent.toml and master.toml: the reference, the first files and the reader are made from one list of keys each.</summary>
public sealed class SettingsTests : IDisposable
{
    private static readonly IPEndPoint s_listen = IPEndPoint.Parse("100.64.0.2:7443");
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-settings").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public void The_reference_is_made_of_the_keys() => Repository.Expect("docs/settings.md", $"""
        # agent.toml and master.toml

        `mcp-agent init`, `mcp-agent join` and `mcp-master init` write these files with every key and its sentence. Mistakes are shown with
        line and column, and the program does not start. Changes take effect at the next start.

        ## agent.toml
        {KeyReference.Tables("The agent", AgentKeys.All.Infos)}
        ## master.toml
        {KeyReference.Tables("The master", MasterKeys.All.Infos)}
        """);

    [Fact]
    public void The_first_agent_toml_says_every_key_and_holds_what_was_given()
    {
        var text = KeyTemplate.Write(AgentKeys.All, Agent());
        Repository.Expect("tests/Mcp.UnitTests/Definition/first-agent.toml", text);
        var read = ReadAgent(text);
        Assert.Equal(("rift", s_listen, "/var/lib/mcp"), (read.Name.Text, read.Listen, read.State));
        Assert.Null(read.Edge);
    }

    [Fact]
    public void The_first_master_toml_says_every_key_and_holds_what_was_given()
    {
        var text = KeyTemplate.Write(MasterKeys.All, Master());
        Repository.Expect("tests/Mcp.UnitTests/Definition/first-master.toml", text);
        var read = ReadMaster(text);
        Assert.Equal(("main", s_listen, "/var/lib/mcp"), (read.Name.Text, read.Listen, read.State));
    }

    [Fact]
    public void What_a_first_file_shows_as_a_comment_may_be_written()
    {
        var edge = KeyTemplate.Section("edge", "This node lets the public in.", AgentKeys.Edge, new EdgeOptions());
        var agent = ReadAgent(Uncommented($"{KeyTemplate.Write(AgentKeys.All, Agent())}\n{edge}"));
        Assert.Equal("database", Assert.Single(Assert.Single(agent.Boot.Sequence).Services).Text);
        Assert.Equal("127.0.0.1:9464", agent.Edge!.Metrics!.ToString());
        Assert.Equal("/run/podman/podman.sock", agent.Podman.Socket);
        var master = ReadMaster(Uncommented(KeyTemplate.Write(MasterKeys.All, Master())));
        Assert.Equal("rift", Assert.Single(master.Nodes).Name.Text);
        Assert.Equal("mcp", master.Dns.KeyName);
    }

    [Theory]
    [InlineData("certificates = \"acme\"", "[edge] needs 'acme_directory'", "[edge] needs 'acme_email'")]
    [InlineData("certificates = \"files\"", "[edge] needs 'files'")]
    [InlineData("http = \"80\"", "wrong value of 'http'")]
    [InlineData("acme_directory = \"http://ca.example.com\"", "wrong value of 'acme_directory'")]
    [InlineData("overlay_range = [\"10.0.0.0/8\", \"10.0.0\"]", "wrong value of 'overlay_range'")]
    [InlineData("body_mb = 0", "wrong value of 'body_mb'")]
    [InlineData("hsts = \"0s\"", "wrong value of 'hsts'")]
    [InlineData("metric = \"127.0.0.1:1\"", "[edge] has no key of this name")]
    public void Mistakes_of_an_edge_node_are_told(string line, params string[] told)
    {
        var text = $"{KeyTemplate.Write(AgentKeys.All, Agent())}\n[edge]\n{line}\n";
        var problems = Assert.Throws<ServiceFileException>(() => ReadAgent(text)).Problems;
        Assert.Equal(told, problems.Select(p => p.Message));
        Assert.All(problems, p => Assert.InRange(p.Line, text.Split('\n').Length - 2, text.Split('\n').Length));
    }

    [Theory]
    [InlineData("ports = \"80-90\"", "wrong value of 'ports'")]
    [InlineData("ports = \"3000-2000\"", "wrong value of 'ports'")]
    [InlineData("ports = \"+2000-3000\"", "wrong value of 'ports'")]
    [InlineData("zone = \"web.node.mcp\"", "wrong value of 'zone'")]
    [InlineData("zone = \"MCP\"", "wrong value of 'zone'")]
    [InlineData("files = \"\"", "wrong value of 'files'")]
    [InlineData("[[boot.sequence]]\ntimeout = \"1m\"", "wrong value of 'services'")]
    [InlineData("[[boot.sequence]]\nservices = [\"a b\"]", "wrong value of 'services'")]
    [InlineData("[proxy]\noverlay = \"0.0.0.0:0\"", "wrong value of 'overlay'")]
    [InlineData("[qemu]\nbridge = \"a-bridge-with-a-name\"", "wrong value of 'bridge'")]
    [InlineData("[qemu]\nbridge_network = \"10.87\"", "wrong value of 'bridge_network'")]
    [InlineData("[podman]\npull_limit = \"7h\"", "wrong value of 'pull_limit'")]
    public void Mistakes_of_an_agent_are_told(string line, string told)
    {
        var text = $"name = \"rift\"\nlisten = \"127.0.0.1:7443\"\nstate = \"/var/lib/mcp\"\n{line}\n";
        Assert.Equal([told], Assert.Throws<ServiceFileException>(() => ReadAgent(text)).Problems.Select(p => p.Message).Distinct());
    }

    [Fact]
    public void Every_service_file_of_the_readme_is_valid()
    {
        var blocks = File.ReadAllText(Path.Combine(Repository.Root, "README.md")).Split("```toml\n").Skip(1).Select(b => b.Split("```")[0]);
        var files = blocks.Where(b => b.StartsWith("name", StringComparison.Ordinal)).ToList();
        Assert.NotEmpty(files);
        Assert.All(files, file => ServiceFile.Parse(file, "README.md"));
    }

    [Theory]
    [InlineData("[qemu]\nconsole_mb = \"10\"", "a whole number from 1 to 1024, without quotes")]
    [InlineData("[edge]\naccess_log = \"true\"", "true or false, without quotes")]
    public void A_number_in_quotes_is_told_as_such(string line, string allowed)
    {
        var text = $"name = \"rift\"\nlisten = \"127.0.0.1:7443\"\nstate = \"/var/lib/mcp\"\n{line}\n";
        Assert.Equal(allowed, Assert.Single(Assert.Throws<ServiceFileException>(() => ReadAgent(text)).Problems).Allowed);
    }

    [Fact]
    public void A_file_beyond_measure_is_refused() => Assert.Contains(
        "too large",
        Assert.Throws<ServiceFileException>(() => ReadMaster(new string('#', (1024 * 1024) + 1))).Message,
        StringComparison.Ordinal);

    private static AgentConfig Agent() => new() { Name = Label.Parse("rift"), Listen = s_listen, State = "/var/lib/mcp" };

    private static MasterConfig Master() => new() { Name = Label.Parse("main"), Listen = s_listen, State = "/var/lib/mcp" };

    // Sentences begin with a capital letter or the name of a program; keys are lower case and followed by " = ".
    private static string Uncommented(string text) => string.Join('\n', text.Split('\n').Select(line =>
        line.StartsWith("# [", StringComparison.Ordinal) || System.Text.RegularExpressions.Regex.IsMatch(line, "^# [a-z0-9_]+ = ")
            ? line[2..]
            : line));

    private AgentConfig ReadAgent(string text)
    {
        var file = Path.Combine(_directory, "agent.toml");
        File.WriteAllText(file, text);
        return AgentConfig.Read(file);
    }

    private MasterConfig ReadMaster(string text)
    {
        var file = Path.Combine(_directory, "master.toml");
        File.WriteAllText(file, text);
        return MasterConfig.Read(file);
    }
}
