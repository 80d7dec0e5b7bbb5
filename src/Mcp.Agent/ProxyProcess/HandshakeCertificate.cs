using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Mcp.Agent.ProxyProcess;

/// <summary>A certificate ready for handshakes, from a PEM file with its chain and key; read again only when the file is another
/// one.</summary>
internal sealed class HandshakeCertificate
{
    private readonly DateTime _written;
    private readonly long _length;

    private HandshakeCertificate(FileInfo info, string file, SslStreamCertificateContext context)
    {
        File = file;
        Context = context;
        _written = info.LastWriteTimeUtc;
        _length = info.Length;
    }

    public string File { get; }

    /// <summary>Leaf and chain; TLS sessions are resumed as long as this is the same object.</summary>
    public SslStreamCertificateContext Context { get; }

    /// <param name="known">As read before; null: not yet.</param>
    /// <returns>Null: it cannot be read; told on standard error.</returns>
    public static HandshakeCertificate? Read(string file, HandshakeCertificate? known)
    {
        try
        {
            // Looked at before it is read: one that is replaced meanwhile is read again the next time.
            var info = new FileInfo(file);
            info.Refresh();
            if (known is not null && known.File == file && known.IsStill(info))
                return known;
            var text = System.IO.File.ReadAllText(file);
            using var pem = X509Certificate2.CreateFromPem(text, text);
            var leaf = X509CertificateLoader.LoadPkcs12(pem.Export(X509ContentType.Pkcs12), null);
            var chain = new X509Certificate2Collection();
            chain.ImportFromPem(text);
            chain.RemoveAt(0);
            // Offline: nothing is fetched while a client waits.
            return new HandshakeCertificate(info, file, SslStreamCertificateContext.Create(leaf, chain, offline: true));
        }
        catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException or ArgumentException)
        {
            Console.Error.WriteLine($"certificate {file}: {e.Message}");
            return null;
        }
    }

    private bool IsStill(FileInfo info) => info.Exists && _written == info.LastWriteTimeUtc && _length == info.Length;
}
