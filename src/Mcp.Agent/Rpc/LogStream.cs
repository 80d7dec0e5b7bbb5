using System.Threading.Channels;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Mcp.Agent.Deploy;
using Mcp.Agent.Registry;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Protocol.V1;
using Mcp.Runtimes;

namespace Mcp.Agent.Rpc;

/// <summary>Merges the logs of a service's current instances; with follow, goes over to the next generation when one takes over.</summary>
internal sealed class LogStream(ComponentsTable components, RuntimeSet runtimes)
{
    public async Task SendAsync(LogsRequest request, IServerStreamWriter<Protocol.V1.LogLine> output, CancellationToken ct)
    {
        var service = Label.Parse(request.Service);
        var whole = request.Component.Length == 0;
        var wanted = components.List(service).Where(c => whole || c.Definition.Name.Text == request.Component).ToList();
        if (wanted.Count == 0)
        {
            var what = whole ? $"service {request.Service}" : $"component {request.Service}/{Label.Clip(request.Component)}";
            throw new McpException(ErrorCode.ServiceUnknown, $"there is no {what} on this node", "mcp list shows those that are");
        }

        var lines = Channel.CreateBounded<Protocol.V1.LogLine>(1024);
        var readers = wanted.Select(c => ReadAsync(c, request, lines.Writer, ct)).ToArray();
        var all = Task.WhenAll(readers);
        _ = all.ContinueWith(t => lines.Writer.TryComplete(t.Exception?.InnerException), TaskScheduler.Default);
        await foreach (var line in lines.Reader.ReadAllAsync(ct))
            await output.WriteAsync(line, ct);
    }

    private async Task ReadAsync(
        StoredComponent component,
        LogsRequest request,
        ChannelWriter<Protocol.V1.LogLine> lines,
        CancellationToken ct)
    {
        var options = new LogOptions(request.Follow, request.Tail < 0 ? null : request.Tail, request.Since?.ToDateTimeOffset());
        var instance = component.Instance;
        // Where the log was left, for an instance that is restarted: runtimes stamp by the second, so lines of the same second are counted.
        var (last, seen) = (default(DateTimeOffset), 0);
        for (var following = false; ; following = request.Follow)
        {
            if (await IsThereAsync(component, instance, following, ct))
            {
                using var gone = CancellationTokenSource.CreateLinkedTokenSource(ct);
                var watching = request.Follow ? EndWithAsync(component, instance, gone) : Task.CompletedTask;
                try
                {
                    var skip = seen;
                    await foreach (var line in runtimes.For(component.Definition).LogsAsync(instance, options, gone.Token))
                    {
                        if (line.Time == last && skip-- > 0)
                            continue;
                        (last, seen) = (line.Time, line.Time == last ? seen + 1 : 1);
                        await lines.WriteAsync(ToWire(component, line), ct);
                    }
                }
                catch (Exception e) when (!ct.IsCancellationRequested && IsEnd(e, mayGo: request.Follow && (following || seen > 0)))
                {
                    // The instance is gone, or just being removed.
                }

                await gone.CancelAsync();
                await watching;
            }

            if (!request.Follow)
                return;
            await Task.Delay(TimeSpan.FromMilliseconds(300), ct);
            var now = components.List(component.Service).FirstOrDefault(c => c.Definition.Name == component.Definition.Name);
            if (now is null)
                return;
            if (now.Instance != instance)
                (instance, last, seen) = (now.Instance, default, 0);
            options = options with { Tail = null, Since = seen > 0 ? last : null };
        }
    }

    private static Protocol.V1.LogLine ToWire(StoredComponent component, Runtimes.LogLine line) => new()
    {
        Component = component.Definition.Name.Text,
        Stderr = line.Stderr,
        Time = line.Time.ToTimestamp(),
        Text = line.Text,
    };

    private static bool IsEnd(Exception e, bool mayGo) => mayGo || e is OperationCanceledException;

    // podman does not end the log of a container that is removed soon after it stopped.
    private async Task EndWithAsync(StoredComponent component, InstanceName instance, CancellationTokenSource gone)
    {
        try
        {
            while (await IsThereAsync(component, instance, following: true, gone.Token))
                await Task.Delay(TimeSpan.FromSeconds(1), gone.Token);
            await gone.CancelAsync();
        }
        catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
        {
            // The log ended by itself, or its reader went away.
        }
    }

    // A runtime may fail to answer for an instance that is being removed: whoever follows asks again.
    private async Task<bool> IsThereAsync(StoredComponent component, InstanceName instance, bool following, CancellationToken ct)
    {
        try
        {
            return await runtimes.For(component.Definition).InspectAsync(instance, ct) is not null;
        }
        catch (Exception e) when (following && e is not OperationCanceledException)
        {
            return true;
        }
    }
}
