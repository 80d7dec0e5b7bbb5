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

    /// <param name="limit">Of opening one.</param>
    public Connections(TimeSpan limit, Connect connect)
    {
        Usual = Client(limit, connect);
        Asterisk = Client(limit, async (context, ct) => new AsteriskConnection(await connect(context, ct)));
    }

    /// <summary>What requests go by.</summary>
    public HttpMessageInvoker Usual { get; }

    /// <summary>For OPTIONS *.</summary>
    public HttpMessageInvoker Asterisk { get; }

    public static HttpMessageInvoker Client(TimeSpan limit, Connect connect) => new(new SocketsHttpHandler
    {
        UseProxy = false,
        AllowAutoRedirect = false,
        AutomaticDecompression = DecompressionMethods.None,
        UseCookies = false,
        EnableMultipleHttp2Connections = true,
        ActivityHeadersPropagator = DistributedContextPropagator.CreateNoOutputPropagator(),
        RequestHeaderEncodingSelector = static (_, _) => Encoding.Latin1,
        ResponseHeaderEncodingSelector = static (_, _) => Encoding.Latin1,
        ConnectTimeout = limit,
        PooledConnectionIdleTimeout = s_idle,
        ConnectCallback = (context, ct) => connect(context, ct),
    });

    public void Dispose()
    {
        Usual.Dispose();
        Asterisk.Dispose();
    }
}
