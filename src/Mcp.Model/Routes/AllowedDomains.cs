using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Names;

namespace Mcp.Model.Routes;

/// <summary>The domains below which this fleet may answer the public.</summary>
public sealed class AllowedDomains(IReadOnlyList<Hostname> domains)
{
    public IReadOnlyList<Hostname> List => domains;

    /// <summary>The domain itself, or any name below it. A Hostname has one spelling only: lower case, ASCII, no dot at its end, no
    /// wildcard.</summary>
    public bool Allow(Hostname hostname) =>
        domains.Any(d => hostname == d
            || (hostname.Text.EndsWith(d.Text, StringComparison.Ordinal) && hostname.Text[^(d.Text.Length + 1)] == '.'));

    /// <summary>Before anything of a service is touched.</summary>
    /// <exception cref="McpException">route.domain: names every public hostname that is not allowed.</exception>
    public void Check(ServiceDefinition service)
    {
        var refused = service.Components.SelectMany(c => c.Routes)
            .Where(r => r is { Public: true, Hostname: not null })
            .Select(r => r.Hostname!)
            .Where(h => !Allow(h))
            .Distinct()
            .ToList();
        if (refused.Count > 0)
        {
            throw new McpException(
                ErrorCode.RouteDomain,
                $"{string.Join(", ", refused)} of {service.Name} lies outside the allowed domains",
                domains.Count == 0
                    ? "none are allowed: allowed_domains in master.toml"
                    : $"allowed: {string.Join(", ", domains)} and what lies below");
        }
    }
}
