using System.Net;
using Mcp.Model.Errors;

namespace Mcp.Master.Dns;

/// <param name="Name">Relative to the internal zone: service, or component.service.</param>
public sealed record DnsRecord(string Name, IPAddress Address);

/// <summary>Where services' names are kept.</summary>
public interface IDnsProvider
{
    /// <summary>As in the configuration and in messages.</summary>
    string Name { get; }

    /// <summary>Safe to repeat; replaces the address that it had.</summary>
    /// <param name="name">Relative to the internal zone.</param>
    /// <param name="node">The node's overlay address, IPv4 or IPv6.</param>
    /// <exception cref="McpException">dns.foreign: the name is there and not mcp's. dns.unreachable, dns.refused: of the
    /// server.</exception>
    Task SetAsync(string name, IPAddress node, CancellationToken ct);

    /// <summary>Safe to repeat. What is not mcp's stays.</summary>
    /// <exception cref="McpException">dns.unreachable, dns.refused</exception>
    Task RemoveAsync(string name, CancellationToken ct);

    /// <summary>What is really there, of what mcp marked as its own.</summary>
    /// <exception cref="McpException">dns.unreachable, dns.refused</exception>
    Task<IReadOnlyList<DnsRecord>> ListOwnedAsync(CancellationToken ct);
}
