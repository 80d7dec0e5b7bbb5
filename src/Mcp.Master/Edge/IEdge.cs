using Mcp.Model.Names;

namespace Mcp.Master.Edge;

/// <summary>Where the public comes in.</summary>
public interface IEdge
{
    /// <summary>Takes the hostname's requests to the service; safe to repeat.</summary>
    Task SetAsync(Hostname hostname, Label service, CancellationToken ct);

    /// <summary>Safe to repeat.</summary>
    Task RemoveAsync(Hostname hostname, CancellationToken ct);
}
