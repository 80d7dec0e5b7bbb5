using Mcp.Agent.Deploy;
using Mcp.Agent.Proxy;
using Mcp.Agent.Recovery;

namespace Mcp.Agent;

/// <summary>What changes services when somebody asks for it.</summary>
public sealed record ServiceParts(
    Hostnames Hostnames,
    Rollouts Rollouts,
    Deployer Deployer,
    Undeployer Undeployer,
    ServiceControl Control,
    Adoption Adoption);
