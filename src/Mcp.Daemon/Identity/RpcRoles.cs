namespace Mcp.Daemon.Identity;

/// <summary>Each RPC with the least role that may call it.</summary>
public static class RpcRoles
{
    /// <summary>Of an agent, and of the master where it answers for all nodes.</summary>
    public static readonly IReadOnlyDictionary<string, Role> Agent = new Dictionary<string, Role>
    {
        ["Deploy"] = Role.Deployer,
        ["DeployPlanned"] = Role.Deployer,
        ["Attach"] = Role.Viewer,
        ["Cancel"] = Role.Deployer,
        ["Underway"] = Role.Viewer,
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
        ["ImageArchitectures"] = Role.Viewer,
        // Which hostname belongs to whom is the master's to know.
        ["SetupEdgeRoute"] = Role.Admin,
        ["RemoveEdgeRoute"] = Role.Admin,
        ["ListEdgeRoutes"] = Role.Viewer,
        ["ListVolumes"] = Role.Viewer,
        ["RemoveVolume"] = Role.Deployer,
        ["ListImages"] = Role.Viewer,
        ["PruneImages"] = Role.Deployer,
    };

    public static readonly IReadOnlyDictionary<string, Role> Master = new Dictionary<string, Role>
    {
        // The CA's certificate is public, and whoever joins has nothing yet but the token in the request.
        ["Authority"] = Role.Anyone,
        ["Join"] = Role.Anyone,
        ["Renew"] = Role.Node,
        ["Heartbeat"] = Role.Node,
        ["CreateJoinToken"] = Role.Admin,
        ["ListNodes"] = Role.Viewer,
        ["CordonNode"] = Role.Admin,
        ["DrainNode"] = Role.Admin,
        ["RemoveNode"] = Role.Admin,
        ["ListNames"] = Role.Viewer,
        ["IssueCertificate"] = Role.Node,
    };
}
