using System.Text.Json.Serialization;

namespace Mcp.Agent.Proxy;

/// <summary>Host name to the port on 127.0.0.1 of the instance that serves it.</summary>
/// <param name="PassThrough">TLS by SNI, not ended here (l4); false: HTTP (l7).</param>
internal sealed record ProxyRoute(string Host, int Port, bool PassThrough);

/// <summary>A service's certificate and key: for its name and all below.</summary>
/// <param name="Host">SERVICE.zone</param>
/// <param name="File">PEM.</param>
internal sealed record ProxyCertificate(string Host, string File);

internal sealed record ProxyRoutes(IReadOnlyList<ProxyRoute> Routes, IReadOnlyList<ProxyCertificate>? Certificates = null);

[JsonSerializable(typeof(ProxyRoutes))]
internal sealed partial class ProxyJson : JsonSerializerContext;
