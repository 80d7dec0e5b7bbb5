using System.Security.Cryptography.X509Certificates;
using Mcp.Agent.Registry;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Model.Routes;
using Mcp.Runtimes;

namespace Mcp.Agent.Edge.Certificates;

/// <summary>Any ACME server (RFC 8555), through lego: HTTP-01, answered by the edge proxy itself. The account's key is kept; the server's
/// limits are kept too.</summary>
public sealed class Acme(
    EdgeOptions options,
    string directory,
    string root,
    IssuancesTable issuances,
    TimeProvider time) : ICertificateSource
{
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(2);

    // They share the account's directory.
    private static readonly SemaphoreSlim s_one = new(1, 1);

    public string Name => "acme";

    public Task<string> IssueAsync(Hostname hostname, CancellationToken ct)
    {
        var next = IssuancePace.Next(issuances.Of(hostname), asked: true);
        return next <= time.GetUtcNow()
            ? OrderAsync(hostname, ct)
            : throw new McpException(
                ErrorCode.AcmePace,
                $"{options.Directory!.Host} will not be asked for {hostname} again before {next:yyyy-MM-dd HH:mm:ss}Z",
                "fix the cause first: certificate.failed in mcp events says what it was");
    }

    // A third of its life is left: for 90 days at 30, as its CA advises.
    public async Task<string?> RenewAsync(Hostname hostname, X509Certificate2? current, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        var due = current is null || now > current.NotAfter - ((current.NotAfter - current.NotBefore) / 3);
        return due && IssuancePace.Next(issuances.Of(hostname), asked: false) <= now ? await OrderAsync(hostname, ct) : null;
    }

    private async Task<string> OrderAsync(Hostname hostname, CancellationToken ct)
    {
        var lego = Programs.Find(options.Lego)
            ?? throw new McpException(
                ErrorCode.AcmeClient,
                $"there is no {options.Lego}",
                "install lego (https://go-acme.github.io/lego), or name it: [edge] lego in agent.toml");
        await s_one.WaitAsync(ct);
        try
        {
            Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            Directory.CreateDirectory(root);
            var attempt = issuances.Begin(hostname);
            var start = Programs.Start(lego, Arguments(hostname));
            if (options.DirectoryCa is { } ca)
                start.Environment["LEGO_CA_CERTIFICATES"] = ca;
            var (exitCode, output) = await Programs.RunAsync(start, s_limit, ct);
            if (exitCode != 0)
            {
                throw new McpException(
                    ErrorCode.AcmeRefused,
                    $"{options.Directory!.Host} issued no certificate for {hostname}: {Reason(output)}",
                    $"{hostname} must lead to this node, port 80, from where the CA looks");
            }

            var pem = await TakeAsync(hostname, ct);
            issuances.Issued(attempt);
            return pem;
        }
        finally
        {
            s_one.Release();
        }
    }

    private IReadOnlyList<string> Arguments(Hostname hostname) =>
    [
        "--path", directory, "--server", options.Directory!.AbsoluteUri, "--accept-tos", "--email", options.Email!,
        "--key-type", "ec256", "--http", "--http.webroot", root, "--domains", hostname.Text, "run",
    ];

    // Its files are not kept beside ours: one place for a key.
    private async Task<string> TakeAsync(Hostname hostname, CancellationToken ct)
    {
        var files = Path.Combine(directory, "certificates");
        var chain = await File.ReadAllTextAsync(Path.Combine(files, $"{hostname}.crt"), ct);
        var key = await File.ReadAllTextAsync(Path.Combine(files, $"{hostname}.key"), ct);
        foreach (var kind in (string[])["crt", "key", "issuer.crt", "json"])
            File.Delete(Path.Combine(files, $"{hostname}.{kind}"));
        return $"{chain}\n{key}";
    }

    // What the server said, of what the client printed.
    private static string Reason(string output) =>
        output.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            .LastOrDefault(l => l.Contains("error", StringComparison.OrdinalIgnoreCase))
            ?? output;
}
