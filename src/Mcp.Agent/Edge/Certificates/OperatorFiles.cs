using System.Security.Cryptography.X509Certificates;
using Mcp.Model.Errors;
using Mcp.Model.Names;

namespace Mcp.Agent.Edge.Certificates;

/// <summary>Certificates that the operator, or a program of theirs, keeps in a directory: HOST.pem, or HOST.crt and HOST.key; the same of
/// _.DOMAIN for all names right below it. Looked at every few seconds, whichever way they are replaced.</summary>
public sealed class OperatorFiles(string directory) : ICertificateSource
{
    public string Name => "files";

    public async Task<string> IssueAsync(Hostname hostname, CancellationToken ct)
    {
        var files = Find(hostname);
        try
        {
            var parts = await Task.WhenAll(files.Select(f => File.ReadAllTextAsync(f, ct)));
            return string.Join('\n', parts);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            var what = $"cannot read {string.Join(", ", files)}: {e.Message}";
            throw new McpException(ErrorCode.CertificateFile, what, "the agent must be able to read it", e);
        }
    }

    public async Task<string?> RenewAsync(Hostname hostname, X509Certificate2? current, CancellationToken ct)
    {
        var now = await IssueAsync(hostname, ct);
        var leaf = CertificateStore.Leaf(now);
        var isTheSame = leaf is not null && current is not null && leaf.RawDataMemory.Span.SequenceEqual(current.RawDataMemory.Span);
        return isTheSame ? null : now;
    }

    private IReadOnlyList<string> Find(Hostname hostname)
    {
        var below = "_" + hostname.Text[hostname.Text.IndexOf('.', StringComparison.Ordinal)..];
        foreach (var name in (string[])[hostname.Text, below])
        {
            var both = Path.Combine(directory, name + ".pem");
            var certificate = Path.Combine(directory, name + ".crt");
            var key = Path.Combine(directory, name + ".key");
            if (File.Exists(both))
                return [both];
            if (File.Exists(certificate) && File.Exists(key))
                return [certificate, key];
        }

        throw new McpException(
            ErrorCode.CertificateFile,
            $"there is no certificate for {hostname} in {directory}",
            $"{hostname}.pem with certificate, chain and key; or {hostname}.crt and {hostname}.key; or {below}.pem");
    }
}
