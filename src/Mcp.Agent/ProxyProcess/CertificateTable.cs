using System.Collections.Frozen;
using System.Net.Security;
using Mcp.Agent.Proxy;

namespace Mcp.Agent.ProxyProcess;

/// <summary>The certificates in force by the name that a client asks for; swapped as one, so that no connection is dropped for a
/// renewal.</summary>
internal sealed class CertificateTable
{
    private volatile FrozenDictionary<string, HandshakeCertificate> _byHost = FrozenDictionary<string, HandshakeCertificate>.Empty;

    /// <param name="name">A service's, or a component's of it; null or another: none, and the handshake fails.</param>
    public SslStreamCertificateContext? Find(string? name)
    {
        if (name is null)
            return null;
        var table = _byHost;
        var above = name[(name.IndexOf('.', StringComparison.Ordinal) + 1)..];
        return (table.GetValueOrDefault(name) ?? table.GetValueOrDefault(above))?.Context;
    }

    /// <summary>One that cannot be read is left out and told; the old ones are not disposed, handshakes may be using them.</summary>
    public void Replace(IReadOnlyList<ProxyCertificate> certificates)
    {
        var known = _byHost;
        var loaded = new Dictionary<string, HandshakeCertificate>(StringComparer.OrdinalIgnoreCase);
        foreach (var (host, file) in certificates)
        {
            if (HandshakeCertificate.Read(file, known.GetValueOrDefault(host)) is { } read)
                loaded[host] = read;
        }

        _byHost = loaded.ToFrozenDictionary(StringComparer.OrdinalIgnoreCase);
    }
}
