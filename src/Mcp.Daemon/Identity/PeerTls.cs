using System.Net;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Grpc.Net.Client;
using Mcp.Daemon.Doors;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;

namespace Mcp.Daemon.Identity;

/// <summary>TLS 1.3 between people, agents and the master: one CA is trusted and no other; the machine's own trust store never
/// counts.</summary>
public static class PeerTls
{
    /// <summary>Of what a master says to an agent: certificates and short answers.</summary>
    public const int LongestMessage = 1024 * 1024;

    // Of the programs' own gRPC: a fleet of some thousand nodes, and people. A quarter of the files that may be open is the most.
    private const int MostConnections = 4000;
    private const int ConnectionsOfOneSource = 500;
    private const int PartOfFiles = 4;

    private static readonly TimeSpan s_silence = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan s_handshake = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan s_connect = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_ping = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_pingLimit = TimeSpan.FromSeconds(5);

    // Of a listener, to whoever is silent: a client that went without a word is noticed.
    private static readonly TimeSpan s_ownPing = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_ownPingLimit = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan s_firstPause = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan s_longestPause = TimeSpan.FromSeconds(1);

    /// <summary>gRPC over TLS. A client may show a certificate of the CA that is for clients; any other ends the connection.</summary>
    /// <param name="certificate">Asked at each handshake, so that a renewed one counts at once.</param>
    /// <param name="authority">Null: no clients with certificates.</param>
    public static void ListenGrpc(
        this KestrelServerOptions kestrel,
        IPEndPoint endpoint,
        Func<X509Certificate2> certificate,
        X509Certificate2? authority)
    {
        // Who pauses a followed log takes nothing, for as long as he likes; it would cost him the connection, and all else on it.
        kestrel.Limits.MinResponseDataRate = null;
        kestrel.Limits.Http2.KeepAlivePingDelay = s_ownPing;
        kestrel.Limits.Http2.KeepAlivePingTimeout = s_ownPingLimit;
        kestrel.Listen(endpoint, listen =>
        {
            listen.Protocols = HttpProtocols.Http2;
            listen.Bound(new ConnectionLimit(
                $"gRPC on {endpoint}",
                OpenFiles.Share(MostConnections, PartOfFiles),
                ConnectionsOfOneSource,
                s_silence,
                Console.Error.WriteLine,
                TimeProvider.System));
            listen.UseHttps(https =>
            {
                https.HandshakeTimeout = s_handshake;
                https.SslProtocols = SslProtocols.Tls13;
                https.ServerCertificateSelector = (_, _) => certificate();
                if (authority is null)
                    return;
                https.ClientCertificateMode = ClientCertificateMode.AllowCertificate;
                https.ClientCertificateValidation = (shown, _, _) => IsOf(authority, shown);
            });
        });
    }

    /// <param name="name">Whom the other side's certificate must name.</param>
    /// <param name="own">What we show; null: nothing.</param>
    /// <param name="longest">Of a message that comes, in bytes.</param>
    public static GrpcChannel Channel(
        string address,
        string name,
        X509Certificate2 authority,
        X509Certificate2? own,
        int longest = LongestMessage) => GrpcChannel.ForAddress($"https://{address}", new GrpcChannelOptions
        {
            DisposeHttpClient = true,
            MaxReceiveMessageSize = longest,
            InitialReconnectBackoff = s_firstPause,
            MaxReconnectBackoff = s_longestPause,
            HttpHandler = new SocketsHttpHandler
            {
                ConnectTimeout = s_connect,
                UseProxy = false,
                // A hundred followed logs would keep a hundred-and-first call from a node.
                EnableMultipleHttp2Connections = true,
                KeepAlivePingDelay = s_ping,
                KeepAlivePingTimeout = s_pingLimit,
                PooledConnectionIdleTimeout = Timeout.InfiniteTimeSpan,
                SslOptions = new SslClientAuthenticationOptions
                {
                    EnabledSslProtocols = SslProtocols.Tls13,
                    ClientCertificates = own is null ? [] : [own],
                    CertificateChainPolicy = Trusting(authority),
                    // Not TargetHost: the handler overwrites it with the address, and that is in the certificate of whoever lives there.
                    RemoteCertificateValidationCallback = (_, shown, _, errors) =>
                        (errors & ~SslPolicyErrors.RemoteCertificateNameMismatch) == 0
                        && shown is X509Certificate2 certificate
                        && certificate.MatchesHostname(name, allowWildcards: false, allowCommonName: false),
                },
            },
        });

    private static bool IsOf(X509Certificate2 authority, X509Certificate2 shown)
    {
        var policy = Trusting(authority);
        // A service's or a hostname's certificate is for servers only, and nobody's name.
        policy.ApplicationPolicy.Add(new Oid(CertificateAuthority.ClientUse));
        using var chain = new X509Chain { ChainPolicy = policy };
        return chain.Build(shown);
    }

    /// <summary>One CA and no other.</summary>
    public static X509ChainPolicy Trusting(X509Certificate2 authority) => new()
    {
        TrustMode = X509ChainTrustMode.CustomRootTrust,
        CustomTrustStore = { authority },
        RevocationMode = X509RevocationMode.NoCheck,
        DisableCertificateDownloads = true,
    };
}
