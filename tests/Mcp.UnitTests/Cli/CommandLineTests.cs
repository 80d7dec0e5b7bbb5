using System.CommandLine;
using Mcp.Agent;
using Mcp.Cli;
using Mcp.Master;
using Mcp.Usage;

namespace Mcp.UnitTests.Cli;

/// <summary>What the programs say of themselves, and of words that they do not know.</summary>
public sealed class CommandLineTests
{
    public static TheoryData<string> Programs => ["mcp", "mcp-agent", "mcp-master"];

    private static RootCommand Program(string name) => name switch
    {
        "mcp" => CommandLine.Build(),
        "mcp-agent" => AgentCommands.Build(TimeProvider.System),
        _ => MasterCommands.Build(TimeProvider.System),
    };

    private static async Task<(int Code, string Output, string Error)> RunAsync(string program, params string[] line)
    {
        using StringWriter output = new(), error = new();
        var code = await Program(program).RunAsync(line, new InvocationConfiguration { Output = output, Error = error });
        return (code, output.ToString(), error.ToString());
    }

    private static IEnumerable<(string Call, Command Command)> All(string call, Command command) =>
        command.Subcommands.Where(c => !c.Hidden).SelectMany(c => All($"{call} {c.Name}", c).Prepend(($"{call} {c.Name}", c)));

    [Theory]
    [MemberData(nameof(Programs))]
    public async Task A_program_without_a_command_and_all_ways_to_ask_for_help_say_the_same(string program)
    {
        var (code, help, error) = await RunAsync(program);
        Assert.Equal((0, ""), (code, error));
        var names = Program(program).Subcommands.Where(c => !c.Hidden).Select(c => c.Name);
        Assert.All(names, name => Assert.Contains($"\n  {name} ", help, StringComparison.Ordinal));
        foreach (var asked in (string[])["--help", "-h", "help"])
            Assert.Equal((0, help, ""), await RunAsync(program, asked));
    }

    [Theory]
    [MemberData(nameof(Programs))]
    public async Task The_version_has_one_form(string program)
    {
        var (code, version, _) = await RunAsync(program, "version");
        Assert.Equal(0, code);
        Assert.Matches($@"^{program} \d+\.\d+\.\d+\n$", version);
        Assert.Equal((0, version, ""), await RunAsync(program, "--version"));
    }

    [Theory]
    [MemberData(nameof(Programs))]
    public async Task Every_command_has_examples_that_the_command_line_takes(string program)
    {
        foreach (var (call, command) in All(program, Program(program)))
        {
            var (code, help, _) = await RunAsync(program, [.. call.Split(' ')[1..], "--help"]);
            Assert.Equal(0, code);
            Assert.Equal((0, help, ""), await RunAsync(program, ["help", .. call.Split(' ')[1..]]));
            if (command.Subcommands.Count > 0 && command.Arguments.Count + command.Options.Count(o => o.HelpName is not null) == 0)
                Assert.Equal((0, help, ""), await RunAsync(program, call.Split(' ')[1..]));
            var examples = help.Split("Examples:\n").Skip(1).SingleOrDefault("").Split('\n', StringSplitOptions.RemoveEmptyEntries);
            Assert.True(examples.Length > 0, $"{call} has no example");
            Assert.All(examples, e => Takes(program, e));
        }
    }

    // Without what the shell takes of it: a comment, a redirection, a substitution, a variable before the command.
    private static void Takes(string program, string example)
    {
        var words = example.Split('#')[0].Replace("source <(", "", StringComparison.Ordinal).Split(" > ")[0].Split(" < ")[0]
            .TrimEnd(')', ' ').Split(' ', StringSplitOptions.RemoveEmptyEntries).SkipWhile(w => w.Contains('=')).ToList();
        Assert.Equal(program, words[0]);
        // Files of an example are not here.
        var errors = Program(program).Parse(words[1..]).Errors.Select(e => e.Message)
            .Where(e => !e.StartsWith("there is no configuration", StringComparison.Ordinal));
        Assert.True(!errors.Any(), $"{example}: {string.Join("; ", errors)}");
    }

    [Theory]
    [InlineData("status --forse", "mcp status has no option --forse")]
    [InlineData("status --direkt 127.0.0.1", "did you mean --direct?")]
    [InlineData("deploy blog.toml --forse", "did you mean --force?")]
    [InlineData("service validate blog.toml --forse", "mcp service validate has no option --forse")]
    [InlineData("stauts", "did you mean status?")]
    [InlineData("node lst", "did you mean list?")]
    [InlineData("help stauts", "did you mean status?")]
    [InlineData("status --direct /x/y", "--direct must be a name or an address")]
    [InlineData("node join-token --role king", "--role must be worker, master or edge")]
    [InlineData("status a b", "'b' is one argument too many")]
    public async Task What_is_not_known_is_told_in_two_lines_with_exit_code_2(string line, string because)
    {
        var (code, output, error) = await RunAsync("mcp", line.Split(' '));
        Assert.Equal((2, ""), (code, output));
        Assert.Contains(because, error, StringComparison.Ordinal);
        Assert.Equal(2, error.TrimEnd().Split('\n').Length);
    }

    [Fact]
    public async Task A_wrong_command_line_is_told_in_json_where_that_is_asked_for()
    {
        var (code, output, error) = await RunAsync("mcp", "status", "-o", "json", "--forse");
        Assert.Equal((2, ""), (code, output));
        using var json = System.Text.Json.JsonDocument.Parse(error);
        var told = json.RootElement.GetProperty("error");
        Assert.Equal("usage", told.GetProperty("code").GetString());
        Assert.Equal(2, told.GetProperty("exit_code").GetInt32());
        Assert.Equal("mcp status --help", told.GetProperty("hint").GetString());
    }

    [Theory]
    [InlineData("", "")]
    [InlineData("127.0.0.1", "127.0.0.1:7443")]
    [InlineData("127.0.0.1:1", "127.0.0.1:1")]
    [InlineData("alder", "alder:7443")]
    [InlineData("alder.example.com:80", "alder.example.com:80")]
    [InlineData("::1", "[::1]:7443")]
    [InlineData("[::1]", "[::1]:7443")]
    [InlineData("[::1]:8", "[::1]:8")]
    public void An_address_without_a_port_has_the_usual_one(string given, string whole)
    {
        Assert.Equal(whole, Address.WithPort(given));
        Assert.Equal(whole, Address.WithPort(whole));
    }
}
