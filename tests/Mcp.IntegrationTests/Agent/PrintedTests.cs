using System.Text;
using System.Text.RegularExpressions;
using Mcp.IntegrationTests.Hosts;
using Mcp.TestKit;

namespace Mcp.IntegrationTests.Agent;

/// <summary>What every command prints: in a pipe, on a terminal of 80 columns, and as JSON; where it works and where it does not.</summary>
[Collection("node")]
public sealed partial class PrintedTests(NodeFixture node) : IAsyncLifetime
{
    private const string Directory = "tests/Mcp.IntegrationTests/Expectations";
    private SpareAgent _agent = null!;
    private readonly StringBuilder _raw = new();
    private string _said = "";
    private Transcript _transcript = null!;

    private string Home => Path.Combine(_agent.Root, "home");

    public async ValueTask InitializeAsync()
    {
        _agent = await SpareAgent.CreateAsync();
        var registry = node.Image("v1").Split('/')[0];
        _transcript = new Transcript((_agent.Root, "DIR"), (_agent.Address, "ADDRESS"), (registry, "registry.lan"), (Command.Bin, "BIN"));
    }

    public ValueTask DisposeAsync() => _agent.DisposeAsync();

    [Fact]
    public async Task Help_of_every_command()
    {
        foreach (var program in (string[])["mcp", "mcp-agent", "mcp-master"])
            await HelpAsync(program, []);
        Repository.Expect($"{Directory}/help.txt", _transcript.ToString());
    }

    [Fact]
    public async Task A_service_from_its_first_deploy_to_its_end()
    {
        await _agent.StartAsync();
        var good = Service("blog", "v1");
        await SayAsync("whoami");
        await SayAsync("status");
        await SayAsync("list");
        await SayAsync("ps");
        await SayAsync("route", "list");
        await SayAsync("service", "validate", good);
        await SayAsync("plan", good);
        await SayAsync("deploy", good);
        await SayAsync("deploy", good);
        await SayAsync("status");
        await SayAsync("status", "blog");
        await SayAsync("list");
        await SayAsync("route", "list");
        await SayAsync("service", "show", "blog");
        await SayAsync("service", "export", "blog", Path.Combine(_agent.Root, "copy.toml"));
        await SayAsync("service", "export", "blog", Path.Combine(_agent.Root, "copy.toml"));
        Service("blog", "v2", "memory_mb = 64\nenv = { PORT = \"8080\", API_TOKEN = \"swordfish\" }");
        await SayAsync("plan", good);
        await SayAsync("deploy", good, "--plan", "0123456789abcdef");
        await SayAsync("deploy", good);
        await SayAsync("logs", "blog", "--grep", "^listening");
        await SayAsync("logs", "blog/web", "blog", "--grep", "^listening", "--previous");
        await SayAsync("stop", "blog");
        await SayAsync("status");
        await SayAsync("start", "blog/web");
        await SayAsync("restart", "blog");
        await SayAsync("sync");
        await SayAsync("purge");
        await SayAsync("push", "blog", Write("page.html", "a page\n"), "pages/page.html");
        await SayAsync("pull", "blog", "pages/page.html", "-");
        await SayAsync("undeploy", "blog");
        await SayAsync("events", "-n", "100");
        await SayAsync("logout");
        await SayAsync("status");
        Repository.Expect($"{Directory}/service.txt", _transcript.ToString());
        Assert.DoesNotContain("swordfish", _transcript.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_same_as_json()
    {
        await _agent.StartAsync();
        var good = Service("blog", "v1");
        await SayAsync("service", "validate", good, "-o", "json");
        await SayJsonAsync("plan", good);
        await SayJsonAsync("deploy", good);
        await SayJsonAsync("status");
        await SayJsonAsync("ps");
        await SayJsonAsync("list");
        await SayJsonAsync("route", "list");
        await SayJsonAsync("whoami");
        await SayJsonAsync("stop", "blog");
        await SayJsonAsync("undeploy", "blog");
        await SayAsync("status", "nothing", "-o", "json");
        await SayAsync("deploy", Path.Combine(_agent.Root, "missing.toml"), "-o", "json");
        // What it finds is this machine's.
        JsonReference.Of("doctor").Check((await _agent.McpAsync("doctor", "-o", "json")).Output);
        await SayJsonAsync("events");
        await SayAsync("status", "--forse", "-o", "json");
        Repository.Expect($"{Directory}/json.txt", _transcript.ToString());
    }

    [Fact]
    public async Task On_a_terminal_of_80_columns()
    {
        await _agent.StartAsync();
        var good = Service("blog", "v1");
        await ShowAsync($"plan {good}");
        await ShowAsync($"deploy {good}");
        await ShowAsync("status");
        await ShowAsync("list");
        await ShowAsync("deploy " + Service("blog", "missing"));
        await ShowAsync("status nothing");
        await ShowAsync("route list");
        await ShowAsync("ps");
        await ShowAsync("events");
        await ShowAsync("undeploy blog --yes");
        Assert.DoesNotContain("\e[?1h", _raw.ToString(), StringComparison.Ordinal);
        var wide = _raw.ToString().Split('\n').Select(line => Control().Replace(line.TrimEnd('\r'), "").Split('\r')[^1]);
        Assert.All(wide.Where(line => !line.StartsWith("mcp: step pull", StringComparison.Ordinal)
            && !line.StartsWith("  -> ", StringComparison.Ordinal)), line => Assert.InRange(line.Length, 0, 80));
        Repository.Expect($"{Directory}/terminal.txt", _transcript.ToString());
    }

    [Fact]
    public async Task What_is_wrong_is_said()
    {
        await _agent.StartAsync();
        await SayAsync();
        await SayAsync("frobnicate");
        await SayAsync("stauts");
        await SayAsync("status", "--output", "xml");
        await SayAsync("deploy");
        await SayAsync("deploy", "missing.toml");
        await SayAsync("deploy", "blog");
        await SayAsync("deploy", _agent.Root);
        await SayAsync("deploy", Write("bad.toml", "name = \"blog\"\n[[components]]\nname = \"web\"\nimage = 3\nmemry_mb = 64\n"));
        await SayAsync("service", "validate", Write("broken.toml", "name = \"blog\n"));
        await SayAsync("service", "validate", Write("empty.toml", ""));
        await SayAsync("service", "export", "blog");
        await SayAsync("plan", Service("blog", "v1") + "/db");
        await SayAsync("deploy", Service("blog", "missing"));
        await SayAsync("deploy", Service("blog", "v1"));
        Service("blog", "v2");
        var ill = Path.Combine(_agent.Root, "blog.toml");
        await File.WriteAllTextAsync(
            ill,
            (await File.ReadAllTextAsync(ill)).Replace("http = \"/\"", "http = \"/missing\"", StringComparison.Ordinal));
        await SayAsync("deploy", ill);
        await SayAsync("deploy", Service("blog", "v1", "volumes = [\"/nonexistent/data:/data\"]"));
        await SayAsync("deploy", Service("blog", "v1"), "--node", "beech");
        foreach (var command in (string[])["undeploy", "start", "stop", "restart", "status", "logs", "adopt"])
            await SayAsync(command, "nothing");
        foreach (var command in (string[])["undeploy", "stop", "status", "logs"])
            await SayAsync(command, "Not A Name");
        await SayAsync("logs");
        foreach (var wrong in (string[])["--all", "--since yesterday", "--until 2026-13-01", "--grep (", "-p 0", "-p 1 -f"])
            await SayAsync(["logs", "nothing", .. wrong.Split(' ')]);
        await SayAsync("logs", "--previous", "nothing");
        await SayAsync("pull", "nothing", "file", "-");
        await SayAsync("push", "nothing", Path.Combine(_agent.Root, "missing"), "file");
        await SayAsync("push", "nothing", Write("page.html", "a page\n"), "../file");
        await SayAsync("events", "-n", "-1");
        foreach (var command in (string[])["node list", "node drain alder", "dns list", "edge list", "node join-token"])
            await SayAsync(command.Split(' '));
        await SayAsync("status", "--direct", "127.0.0.1:1");
        await SayAsync("status", "--direct", "nowhere");
        await SayAsync("login", "--direct", _agent.Address, "--ca", "missing", "--token-file", "missing");
        await SayAsync("login", "--ca", "missing", "--token-file", "missing");
        await SayAsync("completion", "tcsh");
        var agent = Path.Combine(Command.Bin, "mcp-agent");
        await SayOfAsync(agent, "init", "--state", _agent.State, "--listen", _agent.Address);
        await SayOfAsync(agent, "init", "--state", Path.Combine(_agent.Root, "other"), "--listen", "here");
        await SayOfAsync(agent, "run", "--config", Path.Combine(_agent.Root, "missing.toml"));
        var broken = Write("agent.toml", "name = \"Spare\"\nlisten = \"7443\"\nporst = 1\n[proxy]\nhttp = 80\n");
        await SayOfAsync(agent, "run", "--config", broken);
        Repository.Expect($"{Directory}/mistakes.txt", _transcript.ToString());
    }

    private async Task HelpAsync(string program, IReadOnlyList<string> path)
    {
        var (exitCode, output, error) = await Command.RunAsync(Path.Combine(Command.Bin, program), [.. path, "--help"]);
        _transcript.Add($"{program} {string.Join(' ', path.Append("--help"))}", exitCode, output + error);
        var commands = output.Split("Examples:\n")[0];
        if (path.Count > 0)
            commands = commands.Split("Commands:\n").Skip(1).SingleOrDefault("");
        foreach (Match command in Name().Matches(commands))
            await HelpAsync(program, [.. path, command.Groups[1].Value]);
    }

    // Every field that is there is in the reference, and of its kind.
    private async Task SayJsonAsync(params string[] arguments)
    {
        await SayAsync([.. arguments, "-o", "json"]);
        var reference = JsonReference.Of(string.Join(' ', arguments));
        foreach (var line in _said.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            reference.Check(line);
    }

    private Task SayAsync(params IReadOnlyList<string> arguments) => SayOfAsync(Path.Combine(Command.Bin, "mcp"), arguments);

    private async Task SayOfAsync(string program, params IReadOnlyList<string> arguments)
    {
        var (exitCode, output, error) = await Command.RunAsync(
            program,
            arguments,
            new Dictionary<string, string> { ["MCP_HOME"] = Home, ["NO_COLOR"] = "1" });
        _said = output;
        _transcript.Add($"{Path.GetFileName(program)} {string.Join(' ', arguments)}".TrimEnd(), exitCode, output + error);
    }

    // util-linux's script makes a terminal.
    private async Task ShowAsync(string command)
    {
        var (exitCode, output, error) = await Command.RunAsync(
            "script",
            ["-qec", $"stty cols 80 rows 24; exec {Path.Combine(Command.Bin, "mcp")} {command}", "/dev/null"],
            new Dictionary<string, string> { ["MCP_HOME"] = Home, ["TERM"] = "xterm" });
        _raw.Append(output).Append(error);
        _transcript.Add($"mcp {command}", exitCode, Lasting(output) + error);
    }

    // What stays on the screen: the line of what is going on is written over and over, and wiped away at the end.
    private static string Lasting(string output) => string.Join(
        '\n',
        output.ReplaceLineEndings("\n").Split('\n').Select(line => line.Split('\r')[^1]).Select(line => Control().Replace(line, ""))
            .Where(line => line.Trim().Length > 0 && !Spinner().IsMatch(line) && !line.StartsWith("  sha256:", StringComparison.Ordinal)));

    private string Service(string name, string tag, string more = "") => Write($"{name}.toml", $$"""
        name = "{{name}}"
        [[components]]
        name   = "web"
        image  = "{{node.Image(tag)}}"
        watch  = "0s"
        health = { http = "/", interval = "100ms", timeout = "1s", retries = 20 }
        {{more}}
        [[components.routes]]
        name     = "http"
        port     = 8080
        hostname = "{{name}}.example.com"
        """);

    private string Write(string name, string text)
    {
        var file = Path.Combine(_agent.Root, name);
        File.WriteAllText(file, text);
        return file;
    }

    [GeneratedRegex(@"^  ([a-z][a-z-]*) ", RegexOptions.Multiline)]
    private static partial Regex Name();

    [GeneratedRegex(@"\e\[[0-9;?]*[A-Za-z]|\e[=>]")]
    private static partial Regex Control();

    [GeneratedRegex(@"^[⠁-⣿] ")]
    private static partial Regex Spinner();
}
