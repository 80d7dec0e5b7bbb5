using System.Net;

namespace Mcp.Master.Dns;

/// <summary>Where services' names are kept.</summary>
public interface IDnsProvider
{
    /// <summary>As in the configuration and in messages.</summary>
    string Name { get; }

    /// <param name="name">Relative to the internal zone.</param>
    /// <param name="node">The node's overlay address.</param>
    Task SetAsync(string name, IPAddress node, CancellationToken ct);

    /// <summary>Safe to repeat.</summary>
    Task RemoveAsync(string name, CancellationToken ct);
}
