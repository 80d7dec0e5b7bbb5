using System.Net;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using System.Security.Authentication;
using System.Text;
using Mcp.Agent.ProxyProcess.Passing;
using Mcp.Daemon.Doors;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;

namespace Mcp.Agent.ProxyProcess;

/// <summary>Where the proxy listens.</summary>
internal static class Listeners
{
    // Each listener's; a connection has another one to the instance, and there are up to six listeners.
    private const int MostConnections = 20_000;
    private const int PartOfFiles = 12;

    // Of the public: a big office behind one address has some hundred browsers.
    private const int ConnectionsOfOneSource = 1000;

    private static readonly TimeSpan s_headers = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_handshake = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_silence = TimeSpan.FromSeconds(20);

    /// <returns>The limit of each but the control socket.</returns>
    public static IReadOnlyList<ConnectionLimit> Open(
        KestrelServerOptions kestrel, AgentConfig config, ProxyTables tables, FleetPeer peer, string control)
    {
        var limits = new List<ConnectionLimit>();
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxRequestBodySize = null;
        kestrel.Limits.RequestHeadersTimeout = s_headers;
        if (config.Edge is not null)
            SlowBodies.OfThePublic(kestrel.Limits, config.Edge.LeastRate);
        else
            SlowBodies.OfOthers(kestrel.Limits);
        kestrel.RequestHeaderEncodingSelector = ConnectionNames.Of;
        kestrel.ResponseHeaderEncodingSelector = static _ => Encoding.Latin1;
        Listen(config.Proxy.Http, EntranceKind.Local, HttpProtocols.Http1);
        if (config.Proxy.H2c is { } h2c)
            Listen(h2c, EntranceKind.Local, HttpProtocols.Http2);
        if (config.Proxy.Overlay is { } overlay)
            Listen(overlay, EntranceKind.Overlay, HttpProtocols.Http1AndHttp2, name => ForNodes(tables.Certificates, peer, name));
        if (config.Edge is { } edge)
        {
            Listen(edge.Http, EntranceKind.PublicPlain, HttpProtocols.Http1);
            Listen(edge.Https, EntranceKind.Public, HttpProtocols.Http1AndHttp2, name => ForThePublic(tables.Public, name));
            if (edge.Metrics is { } metrics)
                Listen(metrics, EntranceKind.Metrics, HttpProtocols.Http1);
        }

        var tls = config.Proxy.Tls;
        kestrel.Listen(tls, listen =>
        {
            listen.Bound(Limited(tls, EntranceKind.Local));
            listen.Run(new SniPassthrough(tables.Local).CarryAsync);
        });
        // Of a process that had this number.
        File.Delete(control);
        kestrel.ListenUnixSocket(control, listen => Entrance.Mark(listen, EntranceKind.Control));
        return limits;

        // TLS by the name that the client asks for; null: clear text.
        void Listen(
            IPEndPoint at,
            EntranceKind kind,
            HttpProtocols protocols,
            Func<string?, SslServerAuthenticationOptions>? tls = null) =>
            kestrel.Listen(at, listen => Serve(listen, Limited(at, kind), kind, protocols, tls));

        ConnectionLimit Limited(IPEndPoint at, EntranceKind kind)
        {
            limits.Add(Limit(at, kind));
            return limits[^1];
        }
    }

    private static void Serve(
        ListenOptions listen,
        ConnectionLimit limit,
        EntranceKind kind,
        HttpProtocols protocols,
        Func<string?, SslServerAuthenticationOptions>? tls)
    {
        listen.Protocols = protocols;
        listen.Bound(limit);
        Entrance.Mark(listen, kind);
        if (tls is not null)
        {
            listen.UseHttps(new TlsHandshakeCallbackOptions
            {
                HandshakeTimeout = s_handshake,
                OnConnection = hello => ValueTask.FromResult(tls(hello.ClientHelloInfo.ServerName)),
            });
        }
    }

    // Of other nodes each request may have a connection of its own, so only the public is counted by source.
    private static ConnectionLimit Limit(IPEndPoint at, EntranceKind kind) => new(
        $"the proxy's listener {at}",
        OpenFiles.Share(MostConnections, PartOfFiles),
        kind is EntranceKind.Public or EntranceKind.PublicPlain ? ConnectionsOfOneSource : null,
        s_silence,
        Console.Error.WriteLine,
        TimeProvider.System);

    // An edge node shows who it is; other clients need not.
    private static SslServerAuthenticationOptions ForNodes(CertificateTable certificates, FleetPeer peer, string? name) => new()
    {
        EnabledSslProtocols = TlsPolicy.Versions,
        ServerCertificateContext = certificates.Find(name) ?? throw Unknown(name),
        ClientCertificateRequired = true,
        RemoteCertificateValidationCallback = (_, shown, _, _) => shown is null || (shown is X509Certificate2 node && peer.IsNode(node)),
    };

    private static SslServerAuthenticationOptions ForThePublic(Public.PublicTable table, string? name) => new()
    {
        EnabledSslProtocols = TlsPolicy.Versions,
        ServerCertificateContext = (name is null ? null : table.Find(name))?.Certificate.Context ?? throw Unknown(name),
    };

    // Kestrel ends the handshake.
    private static AuthenticationException Unknown(string? name) => new($"no certificate for '{Model.Names.Label.Clip(name)}'");
}
