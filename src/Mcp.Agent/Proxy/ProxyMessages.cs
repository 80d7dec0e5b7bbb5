using System.Text.Json.Serialization;

namespace Mcp.Agent.Proxy;

/// <summary>Host name to the port on 127.0.0.1 of the instance that serves it.</summary>
/// <param name="PassThrough">TLS by SNI, not ended here (l4); false: HTTP (l7).</param>
/// <param name="Held">The instance is being replaced: who comes now waits for the next one.</param>
/// <param name="Idle">Of HTTP: how long nothing may pass; null: 5 min.</param>
/// <param name="Stopped">Nothing is wanted to run there.</param>
internal sealed record ProxyRoute(
    string Host, int Port, bool PassThrough, bool Held = false, TimeSpan? Idle = null, bool Stopped = false);

/// <summary>A service's certificate and key: for its name and all below.</summary>
/// <param name="Host">SERVICE.zone</param>
/// <param name="File">PEM.</param>
internal sealed record ProxyCertificate(string Host, string File);

/// <summary>A public hostname of an edge node.</summary>
/// <param name="Backend">SERVICE.zone: what the backend's certificate must say.</param>
/// <param name="Addresses">Where the backend is, checked by the agent.</param>
/// <param name="Certificate">PEM file of the hostname.</param>
internal sealed record PublicRoute(
    string Host,
    string Service,
    string Backend,
    IReadOnlyList<string> Addresses,
    int Port,
    string Certificate);

internal sealed record ProxyRoutes(
    IReadOnlyList<ProxyRoute> Routes,
    IReadOnlyList<ProxyCertificate>? Certificates = null,
    IReadOnlyList<PublicRoute>? Public = null);

/// <summary>What a proxy is.</summary>
/// <param name="Build">See <see cref="ProxyBuild"/>.</param>
/// <param name="Options">See <see cref="AgentConfig.ProxyFingerprint"/>.</param>
/// <param name="Addresses">Where it listens.</param>
internal sealed record ProxyWho(string Build, string Options, IReadOnlyList<string> Addresses);

/// <summary>What the control socket is asked; the first two before a port.</summary>
internal static class ProxyControlPaths
{
    public const string InFlight = "/in-flight/";
    public const string Requests = "/requests/";
    public const string Who = "/who";
    public const string Sockets = "/sockets";
}

[JsonSerializable(typeof(ProxyRoutes))]
[JsonSerializable(typeof(ProxyWho))]
internal sealed partial class ProxyJson : JsonSerializerContext;
