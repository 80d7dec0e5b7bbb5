using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Mcp.Agent.Deploy;
using Mcp.Agent.Registry;
using Mcp.Daemon.Lifecycle;
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
        using var writing = new StopGrace(stopping, ct);
        var lines = request.Follow
            ? FollowAsync(request, options, over.Token)
            : LogOrder.MergeAsync([.. Instances(request).Select(i => ReadAsync(i.Runtime, i.Name, options, over.Token))], over.Token);
        try
        {
            await foreach (var line in lines)
                await output.WriteAsync(line, writing.Token);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested && !ct.IsCancellationRequested)
        {
            throw new McpException(
                ErrorCode.AgentStopping,
                "the agent is stopping; the log ends here",
                "the service runs on; ask again when the agent is back");
        }
    }

    private List<(IRuntime Runtime, InstanceName Name)> Instances(LogsRequest request) =>
        request.Previous > 0 ? Former(request) : [.. Wanted(request).Select(c => (runtimes.For(c.Definition), c.Instance))];

    private List<StoredComponent> Wanted(LogsRequest request) => There(request) is { Count: > 0 } wanted ? wanted : throw Unknown(request);

    private List<StoredComponent> There(LogsRequest request) =>
        [.. components.List(Label.Parse(request.Service)).Where(c => IsAsked(request, c.Definition.Name))];

    private static bool IsAsked(LogsRequest request, Label component) =>
        request.Component.Length == 0 || component.Text == request.Component;

    // Of each component the one that is so many before the one that serves. A deploy that failed has left a newer one.
    private List<(IRuntime Runtime, InstanceName Name)> Former(LogsRequest request)
    {
        var service = Label.Parse(request.Service);
        var current = components.List(service).Select(c => c.Instance).ToHashSet();
        var former = Logged(service).Where(l => IsAsked(request, l.Name.Component) && !current.Contains(l.Name)).ToList();
        if (former.Count == 0 && !current.Any(i => IsAsked(request, i.Component)))
            throw Unknown(request);
        var chosen = former
            .GroupBy(l => l.Name.Component)
            .SelectMany(g => g.OrderByDescending(l => l.Name.Generation).Skip(request.Previous - 1).Take(1))
            .ToList();
        if (chosen.Count > 0)
            return chosen;
        var kept = string.Join(", ", former
            .Select(l => l.Name)
            .OrderByDescending(i => i.Generation)
            .Select(i => $"{i.Component} generation {i.Generation}"));
        throw new McpException(
            ErrorCode.LogNone,
            $"there is no log of {What(request)} from {request.Previous} generations ago",
            kept.Length > 0 ? $"kept: {kept}" : "none of a former generation is kept");
    }

    private McpException Unknown(LogsRequest request)
    {
        var hint = Logged(Label.Parse(request.Service)).Any(l => IsAsked(request, l.Name.Component)) && request.Previous == 0
            ? $"mcp logs {request.Service} --previous shows the log of the one that was here"
            : "mcp list shows those that are";
        return new McpException(ErrorCode.ServiceUnknown, $"there is no {What(request)} on this node", hint);
    }

    private static string What(LogsRequest request) => request.Component.Length == 0
        ? $"service {request.Service}"
        : $"component {request.Service}/{Label.Clip(request.Component)}";

    // One that never wrote anything, as of a deploy that failed early, is none.
    private IEnumerable<(IRuntime Runtime, InstanceName Name)> Logged(Label service) => runtimes.All
        .SelectMany(r => r.Logged().Where(l => l.Name.Service == service && l.Bytes > 0).Select(l => (r, l.Name)))
        .DistinctBy(l => l.Name);

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
        LogsRequest request,
        LogOptions options,
        [EnumeratorCancellation] CancellationToken ct)
    {
        var lines = Channel.CreateBounded<Protocol.V1.LogLine>(MostWaiting);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var all = EndAsync(FollowAsync(request, options, lines.Writer, over.Token), lines.Writer);
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

    private static async Task EndAsync(Task following, ChannelWriter<Protocol.V1.LogLine> lines)
    {
        await following.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        lines.TryComplete(following.Exception?.InnerException);
    }

    // Each generation to its end, the next one beside it, and components that come later, until there is none. With the first that fails
    // all end.
    private async Task FollowAsync(
        LogsRequest request,
        LogOptions options,
        ChannelWriter<Protocol.V1.LogLine> lines,
        CancellationToken ct)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var readers = new Dictionary<InstanceName, Task>();
        try
        {
            var asked = options;
            for (var there = Wanted(request); there.Count > 0; there = There(request))
            {
                foreach (var component in there.Where(c => !readers.ContainsKey(c.Instance)))
                    readers.Add(component.Instance, PassAsync(component, asked, lines, over.Token));
                // Nothing of what comes later was seen before.
                asked = options with { Tail = null, Since = null };
                if (readers.Values.FirstOrDefault(r => r.IsFaulted) is { } failed)
                    await failed;
                if (options.Until <= TimeProvider.System.GetUtcNow())
                    break;
                await Task.Delay(s_look, ct);
            }

            await Task.WhenAll(readers.Values);
        }
        finally
        {
            await over.CancelAsync();
            await Task.WhenAll(readers.Values).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

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
