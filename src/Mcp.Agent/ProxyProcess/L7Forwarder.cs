using System.Net.Sockets;
using Mcp.Agent.ProxyProcess.Passing;
using Yarp.ReverseProxy.Forwarder;

namespace Mcp.Agent.ProxyProcess;

/// <summary>One request: find its host's backend, pass it on, count it while it is under way.</summary>
/// <param name="publicRate">The public comes in here too, and may not be as slow as others.</param>
internal sealed class L7Forwarder(RouteTable table, Passage passage, LocalHeaders local, Failures failures, bool publicRate) : IDisposable
{
    private const int MostPausing = 1000;
    private static readonly TimeSpan s_again = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(1);
    private static readonly LocalHeaders s_stranger = new([]);
    private readonly Connections _instances = new(
        TimeSpan.FromSeconds(5),
        static async (context, ct) => new NetworkStream(await BackendSocket.ConnectAsync(context.DnsEndPoint, ct), ownsSocket: true));

    private int _pausing;

    /// <summary>From this machine.</summary>
    public Task ForwardAsync(HttpContext context) => ForwardAsync(context, local);

    /// <summary>From another node, over TLS: one that has shown a certificate of the fleet's is an edge node, and knows who
    /// asked.</summary>
    public Task ForwardFromNodeAsync(HttpContext context) =>
        ForwardAsync(context, context.Connection.ClientCertificate is null ? s_stranger : AsReceived.Instance);

    private async Task ForwardAsync(HttpContext context, AsItCame headers)
    {
        if (publicRate)
            SlowBodies.Allow(context);
        if (Refusal.Of(context) is { } refusal)
        {
            await refusal.AnswerAsync(context.Response);
            return;
        }

        long? began = null;
        while (true)
        {
            var found = await table.EnterAsync(Host(context.Request), context.RequestAborted);
            if (found.Backend is not { } backend)
            {
                await RefuseAsync(context.Response, found);
                return;
            }

            // Not while it was held.
            began ??= TimeProvider.System.GetTimestamp();
            ForwarderError error;
            var isSocket = Forwarding.IsWebSocket(context);
            if (isSocket)
                backend.BeginSocket();
            try
            {
                error = await passage.ToInstanceAsync(context, backend.Prefix, _instances, found.Forwarding!, headers);
            }
            finally
            {
                if (isSocket)
                    backend.EndSocket();
                backend.Leave();
            }

            if (error == ForwarderError.None || context.Response.HasStarted)
            {
                failures.Tell(context);
                return;
            }

            // Nothing was sent: the instance may be starting again, or another one may have taken its place.
            var tryAgain = WasNeverConnected(context) && TimeProvider.System.GetElapsedTime(began.Value) < s_patience;
            if (!tryAgain || !await PauseAsync(context.RequestAborted))
            {
                failures.Tell(context);
                await context.Response.WriteAsync("the service behind this host does not answer\n");
                return;
            }

            context.Response.Clear();
            context.Features.Set<IForwarderErrorFeature>(null);
        }
    }

    // A dot at its end says that it is whole (RFC 1034 3.1).
    private static string Host(HttpRequest request)
    {
        var host = request.Host.Host;
        return host.EndsWith('.') ? host[..^1] : host;
    }

    /// <returns>False: as many wait as may, or the client has gone.</returns>
    private async Task<bool> PauseAsync(CancellationToken ct)
    {
        var may = Interlocked.Increment(ref _pausing) <= MostPausing;
        if (may)
            await Task.Delay(s_again, ct).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Interlocked.Decrement(ref _pausing);
        return may && !ct.IsCancellationRequested;
    }

    private static bool WasNeverConnected(HttpContext context) => context.Feature<IForwarderErrorFeature>() is
    { Error: ForwarderError.Request, Exception: HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError } };

    private static Task RefuseAsync(HttpResponse response, Found found)
    {
        var (status, why) = found switch
        {
            { Held: true } => (StatusCodes.Status503ServiceUnavailable, "the service behind this host is being updated\n"),
            { Stopped: true } => (StatusCodes.Status503ServiceUnavailable, "the service behind this host is stopped\n"),
            _ => (StatusCodes.Status404NotFound, "no route for this host\n"),
        };
        response.StatusCode = status;
        if (found.Held)
            response.Headers.RetryAfter = "5";
        return response.WriteAsync(why);
    }

    public void Dispose() => _instances.Dispose();
}
