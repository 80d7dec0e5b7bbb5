using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using Mcp.IntegrationTests.Edge;

namespace Mcp.IntegrationTests.Bytes;

/// <summary>How a request of HTTP/1.1 comes to a server.</summary>
public enum Way
{
    /// <summary>Without a proxy.</summary>
    Direct,

    /// <summary>Through the node's proxy.</summary>
    Node,

    /// <summary>As another node does, without a certificate of a node.</summary>
    Overlay,

    /// <summary>From the public: an edge node's proxy, and the node's behind it.</summary>
    Edge,
}

/// <summary>All ways to one server.</summary>
internal sealed class Ways : IAsyncDisposable
{
    public const string Host = "bytes.example.com";
    private readonly EdgePair _pair = new();
    private int _server;

    public static readonly Way[] All = [Way.Direct, Way.Node, Way.Overlay, Way.Edge];

    public EdgePair Pair => _pair;

    public async Task StartAsync(int server, string edge = "", string proxy = "")
    {
        _server = server;
        await _pair.StartAsync(edge, proxy);
        await _pair.RouteAsync(Host, "bytes", server);
    }

    /// <summary>A connection; closed by the caller.</summary>
    public async Task<Stream> ConnectAsync(Way way)
    {
        var port = way switch
        {
            Way.Direct => _server,
            Way.Node => _pair.WorkerHttp,
            Way.Overlay => _pair.Overlay,
            _ => _pair.Https,
        };
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, port);
        var stream = new NetworkStream(socket, ownsSocket: true);
        if (way is Way.Direct or Way.Node)
            return stream;
        var tls = new SslStream(stream);
        await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
        {
            TargetHost = way == Way.Overlay ? "bytes.mcp.internal" : Host,
            RemoteCertificateValidationCallback = (_, _, _, _) => true,
        });
        return tls;
    }

    /// <summary>What comes back of bytes until the other side ends, or nothing has come for the time.</summary>
    public async Task<string> AskAsync(Way way, string bytes, TimeSpan? silence = null)
    {
        await using var stream = await ConnectAsync(way);
        await stream.WriteAsync(Encoding.Latin1.GetBytes(bytes));
        return await RestAsync(stream, silence ?? TimeSpan.FromSeconds(5));
    }

    public static async Task<string> RestAsync(Stream stream, TimeSpan silence)
    {
        var (answer, buffer) = (new StringBuilder(), new byte[65536]);
        try
        {
            while (await stream.ReadAsync(buffer).AsTask().WaitAsync(silence) is var read and > 0)
                answer.Append(Encoding.Latin1.GetString(buffer, 0, read));
        }
        catch (Exception e) when (e is TimeoutException or IOException)
        {
            answer.Append($"<{(e is TimeoutException ? "nothing more" : "reset")}>");
        }

        return answer.ToString();
    }

    public ValueTask DisposeAsync() => _pair.DisposeAsync();
}
