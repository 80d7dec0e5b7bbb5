using System.Security.Cryptography.X509Certificates;
using Mcp.Model.Errors;
using Mcp.Model.Names;

namespace Mcp.Agent.Edge.Certificates;

/// <summary>Where the certificates of public hostnames come from.</summary>
public interface ICertificateSource
{
    /// <summary>As in the configuration and in messages.</summary>
    string Name { get; }

    /// <returns>In PEM: the hostname's certificate, those that lead to its CA, and the private key.</returns>
    /// <exception cref="McpException">certificate.*, acme.*: why there is none.</exception>
    Task<string> IssueAsync(Hostname hostname, CancellationToken ct);

    /// <summary>Without being asked for it: sources that have limits keep more of a distance to them.</summary>
    /// <param name="current">Null: there is none that is good.</param>
    /// <returns>As IssueAsync; null: not now.</returns>
    /// <exception cref="McpException">certificate.*, acme.*</exception>
    Task<string?> RenewAsync(Hostname hostname, X509Certificate2? current, CancellationToken ct);
}
