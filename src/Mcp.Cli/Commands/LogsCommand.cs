using System.CommandLine;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Mcp.Cli.Connection;
using Mcp.Cli.Output;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Protocol.Logs;
using Mcp.Protocol.V1;
using Mcp.Usage;

namespace Mcp.Cli.Commands;

internal static class LogsCommand
{
    // On the wire.
    private const int AllLines = -1;
    private const int MostPrevious = 1000;

    // Each a call of its own; a listener keeps a hundred streams of one connection.
    private const int MostTargets = 90;

    public static Command Create()
    {
        var targets = new Argument<string[]>("service[/component]") { Arity = ArgumentArity.ZeroOrMore };
        var all = new Option<bool>("--all") { Description = "of all services that are there now" };
        var follow = new Option<bool>("--follow", "-f") { Description = "go on as lines come" };
        var tail = Values.Whole("--tail", "-n", "only the last N lines of each component", 0, int.MaxValue, null);
        var since = new Option<string?>("--since")
        {
            Description = "only lines of the last 10m, 2h, ... or since 2026-11-27 14:00",
            HelpName = "TIME",
        };
        var until = new Option<string?>("--until") { Description = "only lines before it, written like --since", HelpName = "TIME" };
        var grep = new Option<string?>("--grep", "-g")
        {
            Description = "only lines that match, a regular expression of .NET without look-around; (?i) at its start ignores case",
            HelpName = "REGEX",
        };
        var previous = Previous();
        var stamps = new Option<bool>("--timestamps", "-t") { Description = "show when each line was written" };
        var raw = new Option<bool>("--raw") { Description = "control sequences of programs go to the terminal as they are" };
        return AgentCommand.Create(
            "logs",
            "Show services' logs, in order of time",
            [targets, all, follow, tail, since, until, grep, previous, stamps, raw],
            async (parsed, agent, printer, ct) =>
        {
            var now = TimeProvider.System.GetUtcNow();
            var pattern = new LogsRequest
            {
                Follow = parsed.GetValue(follow),
                Tail = parsed.GetValue(tail) ?? AllLines,
                Grep = parsed.GetValue(grep) ?? "",
                Previous = parsed.GetValue(previous),
                Since = Time("--since", parsed.GetValue(since), now, isEnd: false),
                Until = Time("--until", parsed.GetValue(until), now, isEnd: true),
            };
            Check(pattern);
            var asked = parsed.GetValue(targets) ?? [];
            var requests = parsed.GetValue(all) switch
            {
                true when asked.Length > 0 => throw Usage("use --all or services, not both", "leave out one of them"),
                true => await EveryAsync(pattern, agent, ct),
                false when asked.Length == 0 => throw Usage("name a service, or use --all", "mcp logs SERVICE[/COMPONENT] ..."),
                false => Requests(pattern, asked),
            };
            if (requests.Count > MostTargets)
                throw Usage($"{requests.Count} logs at once are too many", $"at most {MostTargets}");
            var named = requests.Count != 1 || requests[0].Component.Length == 0;
            var (several, isStamped, isRaw) = (requests.Count > 1, parsed.GetValue(stamps), parsed.GetValue(raw));
            var output = new LogPrinter(printer, named, several, isStamped, isRaw, LogEnds.OfConsole());
            var failed = 0;
            var logs = requests.Select(r => ReadAsync(r, agent, ct)).ToList();
            // Of several those that can be read are shown.
            if (logs.Count > 1)
                logs = [.. logs.Select(l => TriedAsync(l, Tell, ct))];
            await foreach (var line in pattern.Follow ? FollowAsync(logs, ct) : LogOrder.MergeAsync(logs, ct))
                await output.WriteAsync(line);
            await output.EndAsync();
            return failed;

            void Tell(Exception e) => failed = Math.Max(failed, Failure.Show(e, agent.Address, printer.Json));
        });
    }

    // A number may follow it; the name of a service after it is none.
    private static Option<int> Previous() => new("--previous", "-p")
    {
        Description = "the log of the generation before, or of the one that is N before; also of a deploy that failed",
        HelpName = "N",
        Arity = ArgumentArity.ZeroOrOne,
        CustomParser = given =>
        {
            if (given.Tokens.Count == 0)
                return 1;
            var text = given.Tokens[0].Value;
            if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number is >= 1 and <= MostPrevious)
                return number;
            given.AddError($"--previous must be a whole number from 1 to {MostPrevious}, not '{Label.Clip(text)}'; "
                + "without a number it goes after the services");
            return 0;
        },
    };

    private static void Check(LogsRequest pattern)
    {
        if (pattern.Previous > 0 && pattern.Follow)
            throw Usage("--previous and --follow do not go together: a former generation writes no more", "leave out one of them");
        if (pattern.Since is { } since && pattern.Until is { } until && since > until)
            throw Usage("--until is before --since", LogTimes.Allowed);
    }

    private static Timestamp? Time(string option, string? text, DateTimeOffset now, bool isEnd) =>
        text is null ? null : LogTimes.Parse(option, text, now, TimeZoneInfo.Local, isEnd).ToTimestamp();

    // A component is in the log of its service already.
    private static List<LogsRequest> Requests(LogsRequest pattern, IEnumerable<string> asked)
    {
        var targets = asked.Select(AgentCommand.Target).Distinct().ToList();
        var whole = targets.Where(t => t.Component.Length == 0).Select(t => t.Service).ToHashSet();
        return [.. targets.Where(t => t.Component.Length == 0 || !whole.Contains(t.Service)).Select(t => Request(pattern, t))];
    }

    private static LogsRequest Request(LogsRequest pattern, (string Service, string Component) target) =>
        new(pattern) { Service = target.Service, Component = target.Component };

    private static async Task<List<LogsRequest>> EveryAsync(LogsRequest pattern, AgentConnection agent, CancellationToken ct)
    {
        var status = await agent.Client.StatusAsync(new StatusRequest(), agent.Call(AgentCommand.Quick, ct));
        var services = status.Components.Select(c => c.Service).Distinct().Order(StringComparer.Ordinal);
        return [.. services.Select(s => Request(pattern, (s, "")))];
    }

    private static async IAsyncEnumerable<LogLine> ReadAsync(
        LogsRequest request,
        AgentConnection agent,
        [EnumeratorCancellation] CancellationToken ct)
    {
        using var call = agent.Client.Logs(request, agent.Call(null, ct));
        await foreach (var line in call.ResponseStream.ReadAllAsync(ct))
        {
            var isTooOld = line.Generation == 0 && (request.Previous > 0 || request.Until is not null || request.Grep.Length > 0);
            if (isTooOld)
            {
                throw new McpException(
                    ErrorCode.Usage,
                    $"the agent of {request.Service} is older than this mcp and knows no --until, --grep and --previous",
                    "leave them out, or upgrade the agent");
            }

            line.Service = request.Service;
            yield return line;
        }
    }

    private static async IAsyncEnumerable<LogLine> TriedAsync(
        IAsyncEnumerable<LogLine> log,
        Action<Exception> tell,
        [EnumeratorCancellation] CancellationToken ct)
    {
        await using var lines = log.GetAsyncEnumerator(ct);
        while (true)
        {
            try
            {
                if (!await lines.MoveNextAsync())
                    yield break;
            }
            catch (Exception e) when (e is RpcException or McpException && !ct.IsCancellationRequested)
            {
                tell(e);
                yield break;
            }

            yield return lines.Current;
        }
    }

    // Each line when it comes. With the first log that fails all end.
    private static async IAsyncEnumerable<LogLine> FollowAsync(
        List<IAsyncEnumerable<LogLine>> logs,
        [EnumeratorCancellation] CancellationToken ct)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var lines = Channel.CreateBounded<LogLine>(16);
        var all = Task.WhenAll(logs.Select(PassAsync));
        _ = all.ContinueWith(_ => lines.Writer.TryComplete(), TaskScheduler.Default);
        try
        {
            await foreach (var line in lines.Reader.ReadAllAsync(ct))
                yield return line;
            await all;
        }
        finally
        {
            await over.CancelAsync();
        }

        async Task PassAsync(IAsyncEnumerable<LogLine> log)
        {
            try
            {
                await foreach (var line in log.WithCancellation(over.Token))
                    await lines.Writer.WriteAsync(line, over.Token);
            }
            catch (Exception e) when (!over.IsCancellationRequested)
            {
                lines.Writer.TryComplete(e);
            }
        }
    }

    private static McpException Usage(string what, string hint) => new(ErrorCode.Usage, what, hint);
}
