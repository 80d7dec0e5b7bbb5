using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Mcp.Machine;
using Mcp.Model.Errors;
using Mcp.Model.Names;

namespace Mcp.Agent.Edge.Certificates;

/// <summary>A hostname's certificate as it lies here, without its key.</summary>
/// <param name="Source">Which source it came from.</param>
public sealed record KeptCertificate(string Source, X509Certificate2 Leaf);

/// <summary>The certificates of public hostnames on disk, one file each, 0600: the proxy reads what stands here, whole or not at
/// all.</summary>
public sealed class CertificateStore(string directory, TimeProvider time)
{
    // Text before the first block of a PEM file is a remark.
    private const string SourceMark = "source: ";

    public string FileOf(Hostname hostname) => Path.Combine(directory, $"{hostname}.pem");

    /// <summary>Null: no certificate in it.</summary>
    public static X509Certificate2? Leaf(string pem)
    {
        try
        {
            return X509Certificate2.CreateFromPem(pem);
        }
        catch (CryptographicException)
        {
            return null;
        }
    }

    public KeptCertificate? Find(Hostname hostname)
    {
        if (!File.Exists(FileOf(hostname)))
            return null;
        var text = File.ReadAllText(FileOf(hostname));
        var source = text.StartsWith(SourceMark, StringComparison.Ordinal)
            ? text[SourceMark.Length..text.IndexOf('\n', StringComparison.Ordinal)]
            : "";
        return Leaf(text) is { } leaf ? new KeptCertificate(source, leaf) : null;
    }

    /// <exception cref="McpException">certificate.wrong: it is none, lacks its key, is for another name, or is over.</exception>
    public void Write(Hostname hostname, string source, string pem)
    {
        Check(hostname, pem);
        Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        WholeFile.Replace(FileOf(hostname), $"{SourceMark}{source}\n{pem}");
    }

    /// <returns>False: there was none.</returns>
    public bool Remove(Hostname hostname)
    {
        var there = File.Exists(FileOf(hostname));
        if (there)
            File.Delete(FileOf(hostname));
        return there;
    }

    /// <summary>Removes those of hostnames that have no route.</summary>
    /// <param name="hostnames">Asked after looking what is there: a route is written before its certificate.</param>
    public void KeepOnly(Func<IEnumerable<Hostname>> hostnames)
    {
        if (!Directory.Exists(directory))
            return;
        var there = Directory.GetFiles(directory);
        var wanted = hostnames().Select(FileOf).SelectMany(f => (string[])[f, f + WholeFile.Half]).ToHashSet();
        foreach (var stale in there.Where(f => !wanted.Contains(f)))
            File.Delete(stale);
    }

    private void Check(Hostname hostname, string pem)
    {
        try
        {
            using var whole = X509Certificate2.CreateFromPem(pem, pem);
            if (!whole.MatchesHostname(hostname.Text, allowWildcards: true, allowCommonName: false))
            {
                throw new McpException(
                    ErrorCode.CertificateWrong,
                    $"the certificate is not for {hostname}",
                    $"it is for {string.Join(", ", Names(whole))}");
            }

            if (whole.NotAfter.ToUniversalTime() <= time.GetUtcNow())
            {
                throw new McpException(
                    ErrorCode.CertificateWrong,
                    $"the certificate for {hostname} ended {whole.NotAfter.ToUniversalTime():u}",
                    "a fresh one is needed");
            }
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            throw new McpException(
                ErrorCode.CertificateWrong,
                $"the certificate for {hostname} cannot be used: {e.Message}",
                "PEM: the certificate, those that lead to its CA, and its key",
                e);
        }
    }

    private static IEnumerable<string> Names(X509Certificate2 certificate) =>
        certificate.Extensions.OfType<X509SubjectAlternativeNameExtension>().SelectMany(e => e.EnumerateDnsNames());
}
