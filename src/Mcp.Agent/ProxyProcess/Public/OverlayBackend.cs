using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using Mcp.Agent.Proxy;
using Mcp.Agent.ProxyProcess.Passing;

namespace Mcp.Agent.ProxyProcess.Public;

/// <summary>A service's node as an edge node reaches it: over TLS, by addresses that were checked, whatever DNS says later. With its own
/// connections, so that one that moves leaves no request on the way to the old place.</summary>
internal sealed class OverlayBackend : IDisposable
{
    private static readonly TimeSpan s_connect = TimeSpan.FromSeconds(3);
    private readonly IPAddress[] _addresses;

    // Those on their way, and one for being in force.
    private int _held = 1;

    public OverlayBackend(string key, string name, IPAddress[] addresses, int port, FleetPeer peer)
    {
        (Key, _addresses) = (key, addresses);
        Prefix = string.Create(CultureInfo.InvariantCulture, $"https://{name}:{port}");
        // TLS is begun here: the client would take the name for it from the Host header, and that is the public's.
        Connections = new Connections(s_connect, async (context, ct) =>
        {
            var isHttp2 = context.InitialRequestMessage.Version.Major == 2;
            var options = peer.ClientOptions(name, isHttp2 ? SslApplicationProtocol.Http2 : SslApplicationProtocol.Http11);
            return await SecureAsync(await ConnectAsync(port, ct), options, ct);
        });
    }

    public string Key { get; }

    public string Prefix { get; }

    public Connections Connections { get; }

    public static string KeyOf(PublicRoute route) =>
        string.Create(CultureInfo.InvariantCulture, $"{route.Backend}:{route.Port} {string.Join(' ', route.Addresses)}");

    /// <returns>False: retired meanwhile, and its connections closed.</returns>
    public bool Enter()
    {
        for (var held = Volatile.Read(ref _held); held > 0; held = Volatile.Read(ref _held))
        {
            if (Interlocked.CompareExchange(ref _held, held + 1, held) == held)
                return true;
        }

        return false;
    }

    public void Leave()
    {
        if (Interlocked.Decrement(ref _held) == 0)
            Connections.Dispose();
    }

    /// <summary>Nothing new goes there; its connections are closed when the last request is through.</summary>
    public void Dispose() => Leave();

    private static async Task<SslStream> SecureAsync(NetworkStream connection, SslClientAuthenticationOptions options, CancellationToken ct)
    {
        var secure = new SslStream(connection);
        try
        {
            await secure.AuthenticateAsClientAsync(options, ct);
            return secure;
        }
        catch
        {
            await secure.DisposeAsync();
            throw;
        }
    }

    // The first that answers.
    private async Task<NetworkStream> ConnectAsync(int port, CancellationToken ct)
    {
        for (var i = 0; ; i++)
        {
            try
            {
                return new NetworkStream(await BackendSocket.ConnectAsync(new IPEndPoint(_addresses[i], port), ct), ownsSocket: true);
            }
            catch (SocketException) when (i + 1 < _addresses.Length)
            {
                // The next one may.
            }
        }
    }
}
