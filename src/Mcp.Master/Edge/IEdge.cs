using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Names;

namespace Mcp.Master.Edge;

/// <summary>Where the public comes in.</summary>
public interface IEdge
{
    /// <summary>Before anything of the service is touched.</summary>
    /// <exception cref="McpException">edge.none: there is nowhere for its public hostnames. edge.l4: one of them is passed through by
    /// SNI.</exception>
    void Check(ServiceDefinition service);

    /// <summary>Takes the requests of exactly these hostnames to the service, where it is now; safe to repeat.</summary>
    /// <returns>What is still to come: edge nodes that were silent and have the hostname already. They follow the service's name by
    /// themselves.</returns>
    /// <exception cref="McpException">edge.*, certificate.*, acme.*, node.*: of the first that did not go well.</exception>
    Task<IReadOnlyList<string>> SetAsync(Label service, IReadOnlyList<Hostname> hostnames, Label node, CancellationToken ct);

    /// <summary>Whether an edge node still sends the public to another node than this one. One that is silent follows the service's name by
    /// itself.</summary>
    /// <returns>Which, and where to; null: none does.</returns>
    /// <exception cref="McpException">edge.backend</exception>
    Task<string?> StillElsewhereAsync(Label service, Label node, CancellationToken ct);

    /// <summary>All its hostnames; safe to repeat.</summary>
    /// <exception cref="McpException">node.*</exception>
    Task RemoveAsync(Label service, CancellationToken ct);
}
