using System.CommandLine;
using Grpc.Core;
using Mcp.Cli.Output;
using Mcp.Protocol.V1;
using Mcp.Usage;

namespace Mcp.Cli.Commands;

internal static class EventsCommand
{
    // As many as are kept.
    private const int MostEvents = 10_000;
    private static readonly char[] s_breaks = ['\n', '\r'];

    public static Command Create()
    {
        var follow = new Option<bool>("--follow", "-f") { Description = "go on as events come" };
        var tail = Values.Whole("--tail", "-n", "the last N events", 0, MostEvents, 50);
        return AgentCommand.Create(
            "events", "Show what happened: deploys, drift, restarts", [follow, tail], async (parsed, agent, printer, ct) =>
        {
            using var call = agent.Client.Events(
                new EventsRequest { Follow = parsed.GetValue(follow), Tail = parsed.GetValue(tail) ?? 0 }, agent.Call(null, ct));
            await foreach (var e in call.ResponseStream.ReadAllAsync(ct))
            {
                if (printer.Json)
                    Printer.Message(e);
                else
                    await Console.Out.WriteLineAsync(printer.Line(Line(e)));
            }

            return 0;
        });
    }

    internal static string Line(Event e)
    {
        var node = e.Node.Length > 0 ? $"{e.Node}: " : "";
        var component = e.Component.Length > 0 ? $"/{e.Component}" : "";
        var lines = e.Detail.Split(s_breaks, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        var told = new[] { $"{node}{e.Kind,-18}", $"{e.Service}{component}", string.Join("; ", lines) }.Where(t => t.Length > 0);
        return $"{e.Time.ToDateTimeOffset():yyyy-MM-dd HH:mm:ssZ}  {string.Join("  ", told)}".TrimEnd();
    }
}
