using Mcp.Daemon.Identity;

namespace Mcp.Agent.Rpc;

/// <summary>Each RPC of the agent with the least role that may call it.</summary>
public static class AgentRoles
{
    public static readonly IReadOnlyDictionary<string, Role> All = new Dictionary<string, Role>
    {
        ["Deploy"] = Role.Deployer,
        ["Plan"] = Role.Viewer,
        ["Undeploy"] = Role.Deployer,
        ["Start"] = Role.Deployer,
        ["Stop"] = Role.Deployer,
        ["Restart"] = Role.Deployer,
        ["Status"] = Role.Viewer,
        ["LiveCheck"] = Role.Viewer,
        // A service file may hold secrets in env.
        ["ShowService"] = Role.Deployer,
        ["Logs"] = Role.Viewer,
        ["Events"] = Role.Viewer,
        ["Sync"] = Role.Deployer,
        ["Adopt"] = Role.Admin,
        ["Purge"] = Role.Admin,
        // A service's files may hold secrets, so reading them takes more than looking.
        ["PushFile"] = Role.Deployer,
        ["PullFile"] = Role.Deployer,
        ["NodeStatus"] = Role.Viewer,
        ["WhoAmI"] = Role.Viewer,
    };
}
