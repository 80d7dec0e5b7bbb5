using System.CommandLine;
using Mcp.Agent;
using Mcp.Daemon.Identity;
using Mcp.Daemon.Lifecycle;
using Mcp.Master;
using Mcp.Usage;

namespace Mcp.UnitTests.Usage;

/// <summary>The command lines of both daemons: whatever is not understood is refused before anything is done.</summary>
public sealed class DaemonCommandTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-usage").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    public static TheoryData<string, string> Commands =>
        [
            .. new[] { Agent(), Master() }.SelectMany(program => program.Subcommands
                .Where(command => !command.Hidden)
                .Select(command => (program.HelpName!, command.Name))),
        ];

    private static RootCommand Agent() => AgentCommands.Build(TimeProvider.System);

    private static RootCommand Master() => MasterCommands.Build(TimeProvider.System);

    private static RootCommand Program(string name) => name == "mcp-agent" ? Agent() : Master();

    private static Command Named(string program, string command) => Program(program).Subcommands.Single(c => c.Name == command);

    private string State => Path.Combine(_directory, "state");

    // Each option that the command has, with a value that would do.
    private List<(string Option, string Value)> Whole(string program, string command) =>
        [.. Named(program, command).Options.Where(o => o.HelpName is not null).Select(o => (o.Name, Good(o.Name)))];

    private string Good(string option) => option switch
    {
        "--state" => State,
        "--listen" or "--master" => "127.0.0.1:7443",
        "--role" => "viewer",
        "--days" => "1",
        "--name" => "stern",
        _ => Path.Combine(_directory, "none"),
    };

    private static string[] Line(string command, IEnumerable<(string Option, string Value)> options) =>
        [command, .. options.SelectMany(o => new[] { o.Option, o.Value })];

    private static async Task<(int Code, string Output, string Error)> Run(string program, params string[] line)
    {
        using StringWriter output = new(), error = new();
        var code = await Invocation.RunAsync(program, error, () => Program(program).RunAsync(line, Invocation.Io(output, error)));
        return (code, output.ToString(), error.ToString());
    }

    private async Task Refused(string program, string because, params string[] line)
    {
        var (code, output, error) = await Run(program, line);
        Assert.True(code == 2, $"{string.Join(" ", line)}: {code} {output} {error}");
        Assert.Equal("", output);
        Assert.Contains(because, error);
        Assert.Contains("--help", error);
        Assert.Equal(2, error.TrimEnd().Split('\n').Length);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_directory));
    }

    [Fact]
    public void Both_daemons_have_these_commands() =>
        Assert.Equal(
            ["init", "join", "run", "token", "proxy", "version", "help", "/", "init", "run", "token", "version", "help"],
            [.. Agent().Subcommands.Select(c => c.Name), "/", .. Master().Subcommands.Select(c => c.Name)]);

    [Theory]
    [MemberData(nameof(Commands))]
    public Task An_option_that_a_command_does_not_have_is_refused(string program, string command) =>
        Refused(program, $"{program} {command} has no option --bogus", [.. Line(command, Whole(program, command)), "--bogus", "y"]);

    [Theory]
    [MemberData(nameof(Commands))]
    public async Task A_mistyped_option_is_refused_and_the_right_one_named(string program, string command)
    {
        foreach (var (option, _) in Whole(program, command))
        {
            // Two letters that changed places: --nmae.
            var mistyped = $"--{option[2]}{option[4]}{option[3]}{option[5..]}";
            await Refused(
                program,
                $"has no option {mistyped}; did you mean {option}?",
                Line(command, Whole(program, command).Select(o => o.Option == option ? (mistyped, o.Value) : o)));
        }
    }

    [Theory]
    [MemberData(nameof(Commands))]
    public async Task An_option_that_is_given_twice_is_refused(string program, string command)
    {
        foreach (var twice in Whole(program, command))
        {
            await Refused(
                program,
                $"{twice.Option} may be given only once",
                Line(command, Whole(program, command).Append(twice)));
        }
    }

    [Theory]
    [MemberData(nameof(Commands))]
    public async Task An_option_without_its_value_is_refused(string program, string command)
    {
        foreach (var (option, _) in Whole(program, command))
        {
            var others = Whole(program, command).Where(o => o.Option != option);
            await Refused(program, $"{option} needs a value", [.. Line(command, others), option]);
            if (option is not ("--role" or "--days"))
                await Refused(program, $"{option} needs a value", [.. Line(command, others), option, ""]);
        }
    }

    [Theory]
    [MemberData(nameof(Commands))]
    public async Task A_missing_option_is_named(string program, string command)
    {
        foreach (var needed in Named(program, command).Options.Where(o => o.Required))
            await Refused(program, $"{needed.Name} is missing", Line(command, Whole(program, command).Where(o => o.Option != needed.Name)));
    }

    [Theory]
    [MemberData(nameof(Commands))]
    public async Task Help_of_a_command_is_output_and_shows_every_option(string program, string command)
    {
        foreach (var asked in (string[][])[
            [command, "--help"],
            [.. Line(command, Whole(program, command)), "--help"],
            [command, "-h"],
            [command, "--bogus", "--help"],
        ])
        {
            var (code, output, error) = await Run(program, asked);
            Assert.Equal((0, ""), (code, error));
            Assert.Contains($"{program} {command}", output);
            Assert.All(Named(program, command).Options, o => Assert.Contains(o.Name, output));
            Assert.All(
                Named(program, command).Options,
                o => Assert.False(string.IsNullOrEmpty(o.Description) && o.HelpName is not null, $"{o.Name} says nothing"));
        }

        Assert.Empty(Directory.EnumerateFileSystemEntries(_directory));
    }

    [Theory]
    [InlineData("mcp-agent")]
    [InlineData("mcp-master")]
    public async Task Help_of_a_daemon_is_output_and_shows_every_command(string program)
    {
        var (code, output, error) = await Run(program, "--help");
        Assert.Equal((0, ""), (code, error));
        Assert.All(Program(program).Subcommands.Where(c => !c.Hidden), c => Assert.Contains($"  {c.Name} ", output));
    }

    [Fact]
    public async Task A_command_that_a_daemon_does_not_have_is_refused()
    {
        await Refused("mcp-agent", "mcp-agent has no command 'inti'; did you mean init?", "inti", "--state", State);
        await Refused("mcp-master", "mcp-master has no command 'join'", "join", "--state", State);
        await Refused(
            "mcp-agent",
            "mcp-agent init has no option --master",
            "init",
            "--state",
            State,
            "--listen",
            "127.0.0.1:7443",
            "--master",
            "127.0.0.1:1");
        await Refused(
            "mcp-agent",
            "'more' is one argument too many for mcp-agent init",
            "init",
            "--state",
            State,
            "--listen",
            "127.0.0.1:7443",
            "more");
        await Refused("mcp-agent", "mcp-agent has no command 'vm'", "vm", "one");
    }

    [Fact]
    public async Task A_wrong_value_of_an_option_is_told_with_what_it_may_be()
    {
        string[] token = ["token", "--config", "none", "--name", "ann"];
        await Refused(
            "mcp-agent",
            "--role must be viewer, deployer or admin, not 'amdin'; did you mean admin?",
            [.. token, "--role", "amdin"]);
        await Refused("mcp-agent", "--listen must be an address with a port", "init", "--state", State, "--listen", "here");
        await Refused("mcp-master", "--listen must be an address with a port", "init", "--state", State, "--listen", "7443");
        await Refused("mcp-agent", "there is no configuration none; mcp-agent init makes one", "run", "--config", "none");
        await Refused("mcp-master", "--role must be viewer, deployer or admin, not '2'", [.. token, "--role", "2"]);
        foreach (var days in (string[])["0", "-1", "3651", "NaN", "year", "1,5"])
        {
            await Refused(
                "mcp-agent",
                $"--days must be a number, more than 0 and at most 3650, not '{days}'",
                [.. token, "--role", "viewer", $"--days={days}"]);
        }
    }

    [Fact]
    public async Task A_name_that_is_a_response_file_elsewhere_is_a_name_here()
    {
        var (code, _, error) = await Run("mcp-agent", "run", "--config", "@arguments");
        Assert.Equal(2, code);
        Assert.Contains("@arguments", error);
        Assert.Contains("mcp-agent init", error);
    }

    [Fact]
    public async Task A_token_of_the_command_line_counts_as_long_and_as_much_as_it_says()
    {
        foreach (var program in (string[])["mcp-agent", "mcp-master"])
        {
            var state = Path.Combine(_directory, program);
            Assert.Equal(0, (await Run(program, "init", "--state", state, "--listen", "127.0.0.1:7443", "--name", "stern")).Code);
            var (code, output, error) = await Run(
                program,
                "token",
                "--config",
                Path.Combine(state, $"{program[4..]}.toml"),
                "--name",
                "ann",
                "--role",
                "deployer",
                "--days",
                "0.5");
            Assert.Equal((0, ""), (code, error));
            var (caller, _) = await new TokenSigner(
                await File.ReadAllTextAsync(Path.Combine(state, "token.key")),
                TimeProvider.System).VerifyAsync(output.Trim());
            Assert.Equal(("ann", Role.Deployer), (caller!.Name, caller.Role));
            Assert.InRange(caller.Expires - TimeProvider.System.GetUtcNow(), TimeSpan.FromHours(11), TimeSpan.FromHours(12));
        }
    }
}
