using System.CommandLine;
using Grpc.Core;
using Mcp.Cli.Connection;
using Mcp.Cli.Output;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Protocol.V1;

namespace Mcp.Cli.Commands;

/// <summary>watch: the status again and again. On a terminal a screen that is kept up to date, elsewhere a line for each change.</summary>
internal static class WatchCommand
{
    // ECMA-48 and xterm: the other screen and back, home and clear.
    private const string Enter = "\e[?1049h";
    private const string Leave = "\e[?1049l";
    private const string Clear = "\e[H\e[2J";

    public static Command Create()
    {
        var service = new Argument<string?>("service") { Arity = ArgumentArity.ZeroOrOne };
        var interval = new Option<string>("--interval")
        {
            Description = "how often to look, 500ms to 1m",
            DefaultValueFactory = _ => "2s",
            HelpName = "TIME",
        };
        const string About = "Follow the status: a screen on a terminal, a line for each change elsewhere";
        return AgentCommand.Create("watch", About, [service, interval], async (parsed, agent, printer, ct) =>
        {
            if (!Durations.TryParse(parsed.GetValue(interval)!, out var pause)
                || pause < TimeSpan.FromMilliseconds(500)
                || pause > TimeSpan.FromMinutes(1))
            {
                var what = $"--interval must be a time from 500ms to 1m, not '{parsed.GetValue(interval)}'";
                throw new McpException(ErrorCode.Usage, what, "such as 2s");
            }

            var request = new StatusRequest { Service = parsed.GetValue(service) ?? "" };
            var screen = !printer.Json && !Console.IsOutputRedirected;
            if (screen)
                await Console.Out.WriteAsync(Enter);
            using var over = CancellationTokenSource.CreateLinkedTokenSource(ct, Interrupt.ReaderGone);
            try
            {
                await FollowAsync(request, agent, printer, screen, pause, over.Token);
            }
            finally
            {
                if (screen)
                    await Console.Out.WriteAsync(Leave);
            }

            return 0;
        });
    }

    private static async Task FollowAsync(
        StatusRequest request,
        AgentConnection agent,
        Printer printer,
        bool screen,
        TimeSpan pause,
        CancellationToken ct)
    {
        var before = new Dictionary<string, string>();
        string? trouble = null;
        for (var first = true; ; first = false)
        {
            try
            {
                var reply = await agent.Client.StatusAsync(request, agent.Call(AgentCommand.Quick, ct));
                trouble = null;
                await ShowAsync(reply, before, printer, screen);
            }
            catch (RpcException e) when (!first
                && !ct.IsCancellationRequested
                && e.StatusCode is StatusCode.Unavailable or StatusCode.DeadlineExceeded)
            {
                // Whoever watches wants to see it come back.
                var now = $"{TimeProvider.System.GetUtcNow():yyyy-MM-dd HH:mm:ssZ}  {agent.Address} cannot be reached; trying again";
                if (screen)
                    await Console.Out.WriteAsync($"{Clear}{now}\n");
                else if (trouble is null)
                    await Console.Error.WriteLineAsync(now);
                trouble = now;
            }

            await Task.Delay(pause, TimeProvider.System, ct);
        }
    }

    private static async Task ShowAsync(StatusReply reply, Dictionary<string, string> before, Printer printer, bool screen)
    {
        var now = Lines(reply);
        if (screen)
        {
            await Console.Out.WriteAsync(Screen(reply, printer));
            return;
        }

        var changes = now.Where(n => before.GetValueOrDefault(n.Key) != n.Value)
            .Select(n => $"{n.Key}: {n.Value}")
            .Concat(before.Keys.Where(k => !now.ContainsKey(k)).Select(k => $"{k}: gone"))
            .ToList();
        if (changes.Count == 0)
            return;
        if (printer.Json)
            Printer.Message(reply);
        foreach (var change in printer.Json ? [] : changes)
            await Console.Out.WriteLineAsync(Visible.Text($"{TimeProvider.System.GetUtcNow():yyyy-MM-dd HH:mm:ssZ}  {change}"));
        before.Clear();
        foreach (var (key, line) in now)
            before[key] = line;
    }

    // In one write, so that it does not flicker; what does not fit below is counted.
    private static string Screen(StatusReply reply, Printer printer)
    {
        List<string> lines = [$"mcp watch  {TimeProvider.System.GetUtcNow():yyyy-MM-dd HH:mm:ssZ}  (Ctrl-C ends it)", ""];
        lines.AddRange(StatusCommands.Lines(reply, printer));
        if (Terminal.Size is { Rows: var rows and > 1 } && lines.Count > rows)
        {
            var left = lines.Count - (rows - 1);
            lines.RemoveRange(rows - 1, left);
            lines.Add(printer.Line($"and {left} more lines, which do not fit here: mcp status shows all"));
        }

        return Clear + string.Join('\n', lines.Select((line, i) => i == 0 ? printer.Line(line) : line));
    }

    private static Dictionary<string, string> Lines(StatusReply reply)
    {
        var lines = new Dictionary<string, string>();
        foreach (var c in reply.Components)
        {
            var where = c.Node.Length > 0 ? $"{c.Node} " : "";
            lines[$"{where}{c.Service}/{c.Component}"] = $"{StatusCommands.State(c)}, generation {c.Generation}, {c.Image}";
        }

        foreach (var d in reply.Drift)
            lines[$"drift {d.Node} {d.Instance}"] = $"{d.What} ({StatusCommands.Outlook(d)})";
        foreach (var n in reply.Unreachable)
            lines[$"node {n.Node}"] = "unreachable";
        return lines;
    }
}
