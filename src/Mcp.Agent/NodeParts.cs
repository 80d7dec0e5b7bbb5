using Mcp.Agent.Deploy;
using Mcp.Agent.Disks;
using Mcp.Agent.Edge;
using Mcp.Agent.Files;
using Mcp.Agent.Images;
using Mcp.Agent.Overview;
using Mcp.Agent.Reconcile;
using Mcp.Agent.Volumes;
using Mcp.Runtimes.Images;

namespace Mcp.Agent;

/// <summary>What answers for the node itself.</summary>
public sealed record NodeParts
{
    public required NodeView View { get; init; }

    public required ServicesView Services { get; init; }

    public required RuntimeSet Runtimes { get; init; }

    public required KeptVolumes Volumes { get; init; }

    public required Reconciler Reconciler { get; init; }

    public required EdgeRoutes Edge { get; init; }

    public required ServiceFiles Files { get; init; }

    public required ImageArchitectures Architectures { get; init; }

    public required NodeImages Images { get; init; }

    public required NodeDisks Disks { get; init; }
}
