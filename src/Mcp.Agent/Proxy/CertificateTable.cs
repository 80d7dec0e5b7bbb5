using System.Collections.Frozen;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Mcp.Agent.Proxy;

/// <summary>The certificates in force by the name that a client asks for; swapped as one, so that no connection is dropped for a renewal.</summary>
internal sealed class CertificateTable
{
    private volatile FrozenDictionary<string, X509Certificate2> _byHost = FrozenDictionary<string, X509Certificate2>.Empty;

    /// <param name="name">A service's, or a component's of it; null or another: none, and the handshake fails.</param>
    public X509Certificate2? Find(string? name)
    {
        if (name is null)
            return null;
        var table = _byHost;
        return table.GetValueOrDefault(name) ?? table.GetValueOrDefault(name[(name.IndexOf('.', StringComparison.Ordinal) + 1)..]);
    }

    /// <summary>Reads them anew. One that cannot be read is left out and told; the old ones are not disposed, handshakes may be using them.</summary>
    public void Replace(IReadOnlyList<ProxyCertificate> certificates)
    {
        var loaded = new Dictionary<string, X509Certificate2>(StringComparer.OrdinalIgnoreCase);
        foreach (var (host, file) in certificates)
        {
            try
            {
                using var pem = X509Certificate2.CreateFromPemFile(file, file);
                loaded[host] = X509CertificateLoader.LoadPkcs12(pem.Export(X509ContentType.Pkcs12), null);
            }
            catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException)
            {
                Console.Error.WriteLine($"certificate of {host}: {e.Message}");
            }
        }

        _byHost = loaded.ToFrozenDictionary(StringComparer.OrdinalIgnoreCase);
    }
}
