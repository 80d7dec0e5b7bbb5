using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Mcp.Agent.Deploy;
using Mcp.Agent.Registry;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Protocol.Logs;
using Mcp.Protocol.V1;
using Mcp.Runtimes;

namespace Mcp.Agent.Rpc;

/// <summary>The logs of a service's components: of the instances that serve, in order of time; with follow as the lines come, over restarts
/// and to the next generation when one takes over; or of a generation before.</summary>
internal sealed class LogStream(ComponentsTable components, RuntimeSet runtimes)
{
    // A line may have a MiB.
    private const int MostWaiting = 16;
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(300);

    /// <param name="stopping">The agent ends, and what it follows with it.</param>
    /// <exception cref="McpException">service.unknown, log.none, usage, agent.stopping</exception>
    public async Task SendAsync(
        LogsRequest request,
        IServerStreamWriter<Protocol.V1.LogLine> output,
        CancellationToken stopping,
        CancellationToken ct)
    {
        var options = LogQuestion.Of(request);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(ct, stopping);
        var lines = request.Follow
            ? FollowAsync(Wanted(request), options, over.Token)
            : LogOrder.MergeAsync([.. Instances(request).Select(i => ReadAsync(i, options, over.Token))], over.Token);
        try
        {
            await foreach (var line in lines)
                await output.WriteAsync(line, ct);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested && !ct.IsCancellationRequested)
        {
            throw new McpException(
                ErrorCode.AgentStopping,
                "the agent is stopping; the log ends here",
                "the service runs on; ask again when the agent is back");
        }
    }

    private List<InstanceName> Instances(LogsRequest request) =>
        request.Previous > 0 ? Former(request) : [.. Wanted(request).Select(c => c.Instance)];

    private List<StoredComponent> Wanted(LogsRequest request)
    {
        var wanted = components.List(Label.Parse(request.Service)).Where(c => IsAsked(request, c.Definition.Name)).ToList();
        return wanted.Count > 0 ? wanted : throw Unknown(request);
    }

    private static bool IsAsked(LogsRequest request, Label component) =>
        request.Component.Length == 0 || component.Text == request.Component;

    // Of each component the one that is so many before the one that serves. A deploy that failed has left a newer one.
    private List<InstanceName> Former(LogsRequest request)
    {
        var service = Label.Parse(request.Service);
        var current = components.List(service).Select(c => c.Instance).ToHashSet();
        var former = Logged(service).Where(i => IsAsked(request, i.Component) && !current.Contains(i)).ToList();
        if (former.Count == 0 && !current.Any(i => IsAsked(request, i.Component)))
            throw Unknown(request);
        var chosen = former
            .GroupBy(i => i.Component)
            .Select(g => g.OrderByDescending(i => i.Generation).Skip(request.Previous - 1).FirstOrDefault())
            .OfType<InstanceName>()
            .ToList();
        if (chosen.Count > 0)
            return chosen;
        var kept = string.Join(", ", former.OrderByDescending(i => i.Generation).Select(i => $"{i.Component} generation {i.Generation}"));
        throw new McpException(
            ErrorCode.LogNone,
            $"there is no log of {What(request)} from {request.Previous} generations ago",
            kept.Length > 0 ? $"kept: {kept}" : "none of a former generation is kept");
    }

    private McpException Unknown(LogsRequest request)
    {
        var hint = Logged(Label.Parse(request.Service)).Any(i => IsAsked(request, i.Component)) && request.Previous == 0
            ? $"mcp logs {request.Service} --previous shows the log of the one that was here"
            : "mcp list shows those that are";
        return new McpException(ErrorCode.ServiceUnknown, $"there is no {What(request)} on this node", hint);
    }

    private static string What(LogsRequest request) => request.Component.Length == 0
        ? $"service {request.Service}"
        : $"component {request.Service}/{Label.Clip(request.Component)}";

    private IEnumerable<InstanceName> Logged(Label service) =>
        runtimes.All.SelectMany(r => r.Logged()).Select(l => l.Name).Where(n => n.Service == service).Distinct();

    private IAsyncEnumerable<Protocol.V1.LogLine> ReadAsync(InstanceName instance, LogOptions options, CancellationToken ct) =>
        ReadAsync(Of(instance), instance, options, ct);

    // Where it is; one that is gone: where its log is.
    private IRuntime Of(InstanceName instance)
    {
        var current = components.List(instance.Service).FirstOrDefault(c => c.Instance == instance);
        return current is not null
            ? runtimes.For(current.Definition)
            : runtimes.All.First(r => r.Logged().Any(l => l.Name == instance));
    }

    private static async IAsyncEnumerable<Protocol.V1.LogLine> ReadAsync(
        IRuntime runtime,
        InstanceName instance,
        LogOptions options,
        [EnumeratorCancellation] CancellationToken ct)
    {
        await foreach (var line in runtime.LogsAsync(instance, options, ct))
            yield return ToWire(instance, line);
    }

    private async IAsyncEnumerable<Protocol.V1.LogLine> FollowAsync(
        List<StoredComponent> wanted,
        LogOptions options,
        [EnumeratorCancellation] CancellationToken ct)
    {
        var lines = Channel.CreateBounded<Protocol.V1.LogLine>(MostWaiting);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var all = EndAsync(lines.Writer, [.. wanted.Select(c => FollowAsync(c, options, lines.Writer, over.Token))], over);
        try
        {
            await foreach (var line in lines.Reader.ReadAllAsync(ct))
                yield return line;
        }
        finally
        {
            await over.CancelAsync();
            await all;
        }
    }

    // With the first that fails all end.
    private static async Task EndAsync(ChannelWriter<Protocol.V1.LogLine> lines, List<Task> readers, CancellationTokenSource over)
    {
        Exception? failure = null;
        while (readers.Count > 0)
        {
            var reader = await Task.WhenAny(readers);
            readers.Remove(reader);
            failure ??= reader.IsCanceled ? null : reader.Exception?.InnerException;
            if (failure is not null)
                await over.CancelAsync();
        }

        lines.TryComplete(failure);
    }

    // Each generation to its end, the next one beside it.
    private async Task FollowAsync(
        StoredComponent component,
        LogOptions options,
        ChannelWriter<Protocol.V1.LogLine> lines,
        CancellationToken ct)
    {
        var readers = new Dictionary<InstanceName, Task>();
        for (var now = component; now is not null && !HasFailed(readers); now = Now(component))
        {
            if (!readers.ContainsKey(now.Instance))
            {
                // Nothing of a new generation was seen before.
                var asked = readers.Count == 0 ? options : options with { Tail = null };
                readers.Add(now.Instance, PassAsync(now, asked, lines, ct));
            }

            if (options.Until <= TimeProvider.System.GetUtcNow())
                break;
            await Task.Delay(s_look, ct);
        }

        await Task.WhenAll(readers.Values);
    }

    private static bool HasFailed(Dictionary<InstanceName, Task> readers) => readers.Values.Any(r => r.IsFaulted);

    private StoredComponent? Now(StoredComponent component) =>
        components.List(component.Service).FirstOrDefault(c => c.Definition.Name == component.Definition.Name);

    private async Task PassAsync(
        StoredComponent component,
        LogOptions options,
        ChannelWriter<Protocol.V1.LogLine> lines,
        CancellationToken ct)
    {
        var (runtime, instance) = (runtimes.For(component.Definition), component.Instance);
        await foreach (var line in ReadAsync(runtime, instance, options with { Stays = StaysAsync }, ct))
            await lines.WriteAsync(line, ct);

        // It may be started again, or taken back, as long as it is there.
        async ValueTask<bool> StaysAsync(CancellationToken token)
        {
            if (Now(component)?.Instance == instance)
                return true;
            try
            {
                return await runtime.InspectAsync(instance, token) is not null;
            }
            catch (McpException)
            {
                // Its runtime does not answer: nothing follows from that.
                return true;
            }
        }
    }

    private static Protocol.V1.LogLine ToWire(InstanceName instance, Runtimes.LogLine line) => new()
    {
        Service = instance.Service.Text,
        Component = instance.Component.Text,
        Generation = instance.Generation,
        Stderr = line.Stderr,
        Time = line.Time.ToTimestamp(),
        Text = line.Text,
        Continues = line.Continues,
    };
}
