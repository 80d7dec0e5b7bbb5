using Mcp.Agent.Deploy;
using Mcp.Agent.Proxy;
using Mcp.Agent.Recovery;
using Mcp.Daemon.Operations;

namespace Mcp.Agent;

/// <summary>What changes services when somebody asks for it.</summary>
public sealed class ServiceParts
{
    public required Hostnames Hostnames { get; init; }

    public required Rollouts Rollouts { get; init; }

    public required Deployer Deployer { get; init; }

    public required Undeployer Undeployer { get; init; }

    public required ServiceControl Control { get; init; }

    public required Adoption Adoption { get; init; }

    public required ServiceLocks Locks { get; init; }
}
