using System.Diagnostics;
using System.Net;
using System.Text;

namespace Mcp.Agent.ProxyProcess.Passing;

/// <summary>Opens a connection to a server.</summary>
internal delegate ValueTask<Stream> Connect(SocketsHttpConnectionContext context, CancellationToken ct);

/// <summary>Clients that pass on what they get and decide nothing themselves. Header values are bytes (RFC 9110 5.5).</summary>
internal sealed class Connections : IDisposable
{
    private static readonly TimeSpan s_idle = TimeSpan.FromMinutes(1);
    private readonly TimeSpan _limit;
    private readonly Connect _connect;

    /// <param name="limit">Of opening one.</param>
    public Connections(TimeSpan limit, Connect connect)
    {
        (_limit, _connect) = (limit, connect);
        Usual = Client(limit, connect);
        Asterisk = Client(limit, async (context, ct) => new AsteriskConnection(await connect(context, ct)), once: true);
    }

    /// <summary>What requests go by.</summary>
    public HttpMessageInvoker Usual { get; }

    /// <summary>For OPTIONS *.</summary>
    public HttpMessageInvoker Asterisk { get; }

    /// <summary>For one request that shares its connection with no other.</summary>
    public HttpMessageInvoker Own() => Client(_limit, _connect);

    /// <param name="limit">Of opening one.</param>
    /// <param name="once">Each is for one request.</param>
    public static HttpMessageInvoker Client(TimeSpan limit, Connect connect, bool once = false) => new(new SocketsHttpHandler
    {
        UseProxy = false,
        AllowAutoRedirect = false,
        AutomaticDecompression = DecompressionMethods.None,
        UseCookies = false,
        EnableMultipleHttp2Connections = true,
        ActivityHeadersPropagator = DistributedContextPropagator.CreateNoOutputPropagator(),
        // What comes back is read that way without being asked for.
        RequestHeaderEncodingSelector = static (_, _) => Encoding.Latin1,
        ConnectTimeout = limit,
        PooledConnectionIdleTimeout = s_idle,
        PooledConnectionLifetime = once ? TimeSpan.Zero : Timeout.InfiniteTimeSpan,
        ConnectCallback = (context, ct) => connect(context, ct),
    });

    public void Dispose()
    {
        Usual.Dispose();
        Asterisk.Dispose();
    }
}
