using System.Diagnostics;
using System.Text.Json;
using Mcp.IntegrationTests.Hosts;

namespace Mcp.IntegrationTests.Agent;

/// <summary>How commands end, what they take, and what the shell is told.</summary>
[Collection("node")]
public sealed class CommandLineTests(NodeFixture node) : IAsyncLifetime
{
    private const int Interrupt = 2;
    private const int Term = 15;
    private static readonly TimeSpan s_prompt = TimeSpan.FromSeconds(5);
    private SpareAgent _agent = null!;

    public async ValueTask InitializeAsync()
    {
        _agent = await SpareAgent.CreateAsync();
        await _agent.StartAsync();
    }

    public ValueTask DisposeAsync() => _agent.DisposeAsync();

    [Fact]
    public async Task What_follows_ends_when_its_reader_is_gone_and_with_130_or_143_when_it_is_told_to()
    {
        Succeeded(await _agent.McpAsync("deploy", Service("blog")));
        foreach (var command in (string[])["logs -f blog", "events -f", "watch", "watch -o json", "events -f -o json"])
        {
            using (var follower = _agent.StartMcp(command.Split(' ')))
            {
                // No further line comes.
                Assert.NotNull(await follower.StandardOutput.ReadLineAsync());
                follower.StandardOutput.Close();
                Assert.Equal((141, ""), await EndAsync(follower, command));
            }

            foreach (var signal in (int[])[Interrupt, Term])
            {
                using var told = _agent.StartMcp(command.Split(' '));
                Assert.NotNull(await told.StandardOutput.ReadLineAsync());
                await Command.RunAsync("kill", [$"-{signal}", $"{told.Id}"]);
                Assert.Equal((128 + signal, ""), await EndAsync(told, command));
            }
        }
    }

    [Fact]
    public async Task A_deploy_that_is_not_watched_any_more_goes_on_and_says_so()
    {
        var file = Service("blog", "watch = \"3s\"");
        foreach (var signal in (int[])[Interrupt, Term])
        {
            using var deploy = _agent.StartMcp("deploy", file, "--force");
            await UntilLineAsync(deploy, "switch");
            await Command.RunAsync("kill", [$"-{signal}", $"{deploy.Id}"]);
            var (code, error) = await EndAsync(deploy, "deploy");
            Assert.Equal(128 + signal, code);
            Assert.Contains("the deploy of blog is no longer watched; it goes on by itself", error, StringComparison.Ordinal);
            Succeeded(await _agent.McpAsync("deploy", "--attach", "blog"));
        }

        using var unread = _agent.StartMcp("deploy", file, "--force");
        await UntilLineAsync(unread, "switch");
        unread.StandardOutput.Close();
        Assert.Equal((141, ""), await EndAsync(unread, "deploy"));
        Succeeded(await _agent.McpAsync("deploy", "--attach", "blog"));
        // None of several is left out since nobody reads any more.
        using var both = _agent.StartMcp("deploy", file, Service("shop"), "--force");
        await UntilLineAsync(both, "plan");
        both.StandardOutput.Close();
        await EndAsync(both, "deploy");
        await _agent.McpAsync("deploy", "--attach", "shop");
        Assert.Contains("shop", (await _agent.McpAsync("list")).Output, StringComparison.Ordinal);
        // What changes something does it, also when nobody reads what it says.
        using var stop = _agent.StartMcp("stop", "blog");
        stop.StandardOutput.Close();
        Assert.Equal(0, (await EndAsync(stop, "stop")).Code);
        Assert.Contains("stopped", (await _agent.McpAsync("status")).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_deploy_takes_the_only_file_several_a_directory_or_standard_input()
    {
        var files = Directory.CreateDirectory(Path.Combine(_agent.Root, "files")).FullName;
        await File.WriteAllTextAsync(Path.Combine(files, "other.toml"), "[package]\nname = \"no service\"\n");
        Assert.Contains("there is no service file in this directory", (await InAsync(files, "deploy")).Error, StringComparison.Ordinal);
        File.Move(Service("blog"), Path.Combine(files, "blog.toml"));
        var (code, output, _) = await InAsync(files, "deploy");
        Assert.Equal(0, code);
        Assert.Contains($"http://blog.localhost:{_agent.ProxyPort}/", output, StringComparison.Ordinal);
        Assert.Equal(0, (await InAsync(files, "deploy -", await File.ReadAllTextAsync(Path.Combine(files, "blog.toml")))).Code);
        File.Move(Service("shop"), Path.Combine(files, "shop.toml"));
        var several = await InAsync(files, "plan");
        Assert.Equal(2, several.Code);
        Assert.Contains("blog.toml, shop.toml", several.Error, StringComparison.Ordinal);
        await File.WriteAllTextAsync(Path.Combine(files, "wrong.toml"), "[[components]]\n");
        var wrong = await InAsync(files, "deploy .");
        Assert.Equal((2, ""), (wrong.Code, wrong.Output));
        Assert.Contains("wrong.toml:1:1", wrong.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("shop", (await _agent.McpAsync("list")).Output, StringComparison.Ordinal);
        File.Delete(Path.Combine(files, "wrong.toml"));
        await File.WriteAllTextAsync(
            Path.Combine(files, "lost.toml"),
            (await File.ReadAllTextAsync(Path.Combine(files, "shop.toml"))).Replace("shop", "lost", StringComparison.Ordinal)
                .Replace(node.Image("v1"), node.Image("missing"), StringComparison.Ordinal));
        var all = await InAsync(files, "deploy .");
        Assert.Equal(1, all.Code);
        Assert.EndsWith(
            "ok      blog  blog.toml\nfailed  lost  lost.toml\nok      shop  shop.toml\n",
            all.Output,
            StringComparison.Ordinal);
        Assert.Contains("shop", (await _agent.McpAsync("list")).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_shell_knows_services_and_components_and_is_told_nothing_without_a_login()
    {
        Succeeded(await _agent.McpAsync("deploy", Service("blog")));
        Assert.Equal("blog", string.Join(' ', await SuggestedAsync("mcp status ")));
        Assert.Equal("blog blog/web", string.Join(' ', await SuggestedAsync("mcp logs bl")));
        Assert.Equal("blog", string.Join(' ', await SuggestedAsync("mcp undeploy b")));
        await _agent.McpAsync("logout");
        Assert.Empty(await SuggestedAsync("mcp status b"));
    }

    [Fact]
    public async Task Who_never_logged_in_can_log_out()
    {
        var (code, output, error) = await Command.RunAsync(
            Path.Combine(Command.Bin, "mcp"), ["logout"], new Dictionary<string, string> { ["MCP_HOME"] = "/no/such/directory" });
        Assert.Equal((0, ""), (code, error));
        Assert.Contains("not logged in", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_text_whose_deploy_fails_is_kept_and_named()
    {
        Succeeded(await _agent.McpAsync("deploy", Service("blog")));
        foreach (var (edit, kept) in ((string, bool)[])[
            ($"sed -i s,{node.Image("v1")},{node.Image("missing")},", true), ("sed -i s,name,nmae,", true), ("true", false)])
        {
            var (code, output, error) = await Command.RunAsync(
                Path.Combine(Command.Bin, "mcp"),
                ["service", "edit", "blog"],
                new Dictionary<string, string>
                {
                    ["MCP_HOME"] = Path.Combine(_agent.Root, "home"),
                    ["VISUAL"] = edit,
                    ["TMPDIR"] = _agent.Root,
                });
            var told = error.Split('\n').SingleOrDefault(line => line.StartsWith("mcp: your text is in ", StringComparison.Ordinal));
            Assert.Equal((kept, kept), (code != 0, told is not null));
            if (told is not null)
                Assert.True(File.Exists(told["mcp: your text is in ".Length..]));
            else
                Assert.Equal("unchanged\n", output);
        }
    }

    [Fact]
    public async Task What_is_wrong_is_2_and_names_that_were_meant_are_told()
    {
        Succeeded(await _agent.McpAsync("deploy", Service("blog")));
        foreach (var (command, exitCode, because) in ((string, int, string)[])[
            ("ps nope", 1, "there is no service nope"),
            ("status nope", 1, "there is no service nope"),
            ("status blgo", 1, "did you mean blog?"),
            ("restart blog/wbe", 1, "did you mean blog/web?"),
            ("push blog /tmp", 2, "'/tmp' is a directory"),
            ("push blog /etc/hostname ../x", 2, "lies outside"),
            ("service validate /tmp", 2, "'/tmp' is a directory"),
            ("service export blog /tmp", 2, "'/tmp' is a directory"),
            ($"login --direct {_agent.Address} --ca {_agent.State}/ca.crt --token-file /etc/hostname", 2, "holds no token"),
            ($"login --direct {_agent.Address} --ca /tmp --token-file /etc/hostname", 2, "'/tmp' is a directory"),
        ])
        {
            var (code, _, error) = await _agent.McpAsync(command.Split(' '));
            Assert.True(code == exitCode, $"{command}: {code} {error}");
            Assert.Contains(because, error, StringComparison.Ordinal);
        }

        var (refused, _, told) = await _agent.McpAsync("status", "nope", "-o", "json");
        Assert.Equal(1, refused);
        using var json = JsonDocument.Parse(told);
        Assert.Equal("service.unknown", json.RootElement.GetProperty("error").GetProperty("code").GetString());
    }

    private static async Task UntilLineAsync(Process process, string word)
    {
        while (await process.StandardOutput.ReadLineAsync() is { } line && !line.Contains(word, StringComparison.Ordinal))
            Assert.False(process.HasExited && process.ExitCode != 0, line);
    }

    private static async Task<(int Code, string Error)> EndAsync(Process process, string command)
    {
        using var over = new CancellationTokenSource(s_prompt);
        try
        {
            await process.WaitForExitAsync(over.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill();
            Assert.Fail($"{command} goes on");
        }

        return (process.ExitCode, command.StartsWith("logs", StringComparison.Ordinal) ? "" : await process.StandardError.ReadToEndAsync());
    }

    private async Task<string[]> SuggestedAsync(string line)
    {
        var (code, output, error) = await _agent.McpAsync($"[suggest:{line.Length}]", line);
        Assert.Equal((0, ""), (code, error));
        return [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(s => !s.StartsWith('-'))];
    }

    private async Task<(int Code, string Output, string Error)> InAsync(string directory, string command, string input = "")
    {
        var start = new ProcessStartInfo(Path.Combine(Command.Bin, "mcp"))
        {
            WorkingDirectory = directory,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["MCP_HOME"] = Path.Combine(_agent.Root, "home");
        foreach (var argument in command.Split(' '))
            start.ArgumentList.Add(argument);
        using var process = Process.Start(start)!;
        await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        return (process.ExitCode, await output, await error);
    }

    private static void Succeeded((int ExitCode, string Output, string Error) told) => NodeFixture.Succeeded(told);

    private string Service(string name, string more = "watch = \"0s\"")
    {
        var file = Path.Combine(_agent.Root, $"{name}.toml");
        File.WriteAllText(file, $$"""
            name = "{{name}}"
            [[components]]
            name   = "web"
            image  = "{{node.Image("v1")}}"
            health = { http = "/", interval = "100ms", timeout = "1s", retries = 20 }
            {{more}}
            [[components.routes]]
            name = "http"
            port = 8080
            """);
        return file;
    }
}
