using System.CommandLine;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Mcp.Cli.Output;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Protocol.V1;
using Mcp.Usage;

namespace Mcp.Cli.Commands;

internal static class LogsCommand
{
    // On the wire.
    private const int AllLines = -1;

    public static Command Create()
    {
        var target = new Argument<string>("service[/component]");
        var follow = new Option<bool>("--follow", "-f") { Description = "go on as lines come" };
        var tail = Values.Whole("--tail", "-n", "only the last N lines of each component", 0, int.MaxValue, null);
        var since = new Option<string?>("--since") { Description = "only lines of the last 10m, 2h, ...", HelpName = "TIME" };
        var stamps = new Option<bool>("--timestamps", "-t") { Description = "show when each line was written" };
        return AgentCommand.Create(
            "logs", "Show a service's log", [target, follow, tail, since, stamps], async (parsed, agent, printer, ct) =>
        {
            var (service, component) = AgentCommand.Target(parsed.GetValue(target)!);
            var request = new LogsRequest
            {
                Service = service,
                Component = component,
                Follow = parsed.GetValue(follow),
                Tail = parsed.GetValue(tail) ?? AllLines,
            };
            if (parsed.GetValue(since) is { } text)
            {
                request.Since = Durations.TryParse(text, out var ago)
                    ? (TimeProvider.System.GetUtcNow() - ago).ToTimestamp()
                    : throw new McpException(ErrorCode.Usage, $"'{text}' is no time", "such as 30s, 10m, 2h");
            }

            using var call = agent.Client.Logs(request, agent.Call(null, ct));
            await foreach (var line in call.ResponseStream.ReadAllAsync(ct))
            {
                if (printer.Json)
                    Printer.Message(line);
                else
                    await WriteAsync(line, parsed.GetValue(stamps), component.Length == 0);
            }

            return 0;
        });
    }

    private static Task WriteAsync(LogLine line, bool stamped, bool named)
    {
        var stamp = stamped ? $"{line.Time.ToDateTimeOffset():yyyy-MM-ddTHH:mm:ss.fffZ} " : "";
        var name = named ? Visible.Text($"{line.Component} | ") : "";
        var toTerminal = line.Stderr ? !Console.IsErrorRedirected : !Console.IsOutputRedirected;
        return (line.Stderr ? Console.Error : Console.Out).WriteLineAsync($"{stamp}{name}{Visible.Output(line.Text, toTerminal)}");
    }
}
