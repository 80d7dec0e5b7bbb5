using System.Threading.Channels;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Mcp.Daemon.Events;
using Mcp.Master.Nodes;
using Mcp.Master.Store;
using Mcp.Protocol.V1;

namespace Mcp.Master.Fleet;

/// <summary>The events of the master and of all its agents as one stream: the last ones by time, then, with follow, each as it comes. A
/// node that is away is asked again until it is back, and goes on where it was left.</summary>
public sealed class FleetEvents(AgentPool agents, MasterStore store, TimeProvider time)
{
    // Each agent keeps the newest 10,000.
    private const int MostAtOnce = 10_000;

    // Of one node's last events: one that says more is cut short.
    private const int MostBytes = 4 * 1024 * 1024;

    // Of the years 1 to 9999.
    private const long FirstSecond = -62_135_596_800;
    private const long LastSecond = 253_402_300_799;
    private const int LastNano = 999_999_999;
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_again = TimeSpan.FromSeconds(1);

    public async Task SendAsync(EventsRequest request, Func<Event, Task> send, CancellationToken stopping, CancellationToken ct)
    {
        var nodes = store.Nodes.List().FindAll(n => n.Key.Length > 0);
        var tail = request.Tail > 0 ? Math.Min(request.Tail, MostAtOnce) : 50;
        var own = store.Events.After(0, tail).ConvertAll(Own);
        var theirs = await Task.WhenAll(nodes.Select(n => LastAsync(n, tail, ct)));
        var all = theirs.SelectMany(t => t ?? []).Concat(own).OrderBy(e => e.Time.ToDateTimeOffset()).ToList();
        foreach (var e in all.Skip(Math.Max(0, all.Count - tail)))
            await send(e);
        if (!request.Follow)
            return;
        using var end = CancellationTokenSource.CreateLinkedTokenSource(ct, stopping);
        var merged = Channel.CreateBounded<Event>(1024);
        var readers = nodes.Zip(theirs, (node, last) => FollowAsync(node, last, merged.Writer, end.Token))
            .Append(FollowOwnAsync(own.Count > 0 ? own[^1].Id : 0, merged.Writer, end.Token))
            .ToList();
        try
        {
            await foreach (var e in merged.Reader.ReadAllAsync(end.Token))
                await send(e);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The master ends.
        }
        finally
        {
            await end.CancelAsync();
            await Task.WhenAll(readers).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static Event Own(KeptEvent e) => new()
    {
        Id = e.Id,
        Time = e.Time.ToTimestamp(),
        Service = e.Service,
        Component = e.Component,
        Kind = e.Kind.Text,
        Detail = e.Detail,
    };

    // Silence is no error here: that a node is away is an event of the master's own.
    private async Task<List<Event>?> LastAsync(StoredNode node, int tail, CancellationToken ct)
    {
        var last = new List<Event>();
        try
        {
            using var call = agents.Of(node).Events(new EventsRequest { Tail = tail }, agents.Within(s_limit, ct));
            var bytes = 0;
            await foreach (var e in call.ResponseStream.ReadAllAsync(ct))
            {
                bytes += e.CalculateSize();
                if (last.Count == tail || bytes > MostBytes)
                    break;
                last.Add(Marked(e, node, time.GetUtcNow()));
            }
        }
        catch (RpcException) when (!ct.IsCancellationRequested)
        {
            return null;
        }

        return last;
    }

    // Of a node that was away only what is newest when it is back; of one that had no events yet, all.
    private async Task FollowAsync(StoredNode node, List<Event>? known, ChannelWriter<Event> merged, CancellationToken ct)
    {
        var last = known is [.., var newest] ? newest.Id : 0;
        var tail = known is null ? 1 : int.MaxValue;
        while (!ct.IsCancellationRequested)
        {
            try
            {
                using var call = agents.Of(node)
                    .Events(new EventsRequest { Follow = true, Tail = tail, After = last }, cancellationToken: ct);
                await foreach (var e in call.ResponseStream.ReadAllAsync(ct))
                {
                    last = e.Id;
                    await merged.WriteAsync(Marked(e, node, time.GetUtcNow()), ct);
                }
            }
            catch (RpcException) when (!ct.IsCancellationRequested)
            {
                // Away; asked again.
            }

            await Task.Delay(s_again, time, ct);
        }
    }

    private async Task FollowOwnAsync(long last, ChannelWriter<Event> merged, CancellationToken ct)
    {
        await foreach (var e in EventStream.ReadAsync(store.Events, follow: true, 1, last, time, CancellationToken.None, ct))
            await merged.WriteAsync(Own(e), ct);
    }

    /// <summary>As the fleet tells it. An agent may say anything: a time that is none becomes the one at which it was heard.</summary>
    internal static Event Marked(Event e, StoredNode node, DateTimeOffset now)
    {
        e.Node = node.Name.Text;
        if (e.Time is not { Seconds: >= FirstSecond and <= LastSecond, Nanos: >= 0 and <= LastNano })
            e.Time = now.ToTimestamp();
        return e;
    }
}
