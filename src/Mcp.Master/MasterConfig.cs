using System.Net;
using Mcp.Daemon.Alerts;
using Mcp.Master.Dns;
using Mcp.Model.Definition;
using Mcp.Model.Definition.Keys;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Model.Placement;
using Mcp.Model.Routes;

namespace Mcp.Master;

/// <summary>master.toml; its keys are in <see cref="MasterKeys"/>.</summary>
public sealed record MasterConfig
{
    public required Label Name { get; init; }

    /// <summary>Of the gRPC server.</summary>
    public required IPEndPoint Listen { get; init; }

    /// <summary>The state directory, absolute.</summary>
    public required string State { get; init; }

    /// <summary>Public routes must lie in these.</summary>
    public AllowedDomains Domains { get; init; } = new([]);

    /// <summary>Between two heartbeats of a node, 100 ms to 1 min; three missed ones make it unreachable.</summary>
    public TimeSpan Heartbeat { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Of a node's certificate; it is renewed when a third is left.</summary>
    public TimeSpan CertificateLife { get; init; } = TimeSpan.FromDays(30);

    /// <summary>From the switch of a moved service's names to the end of its old instances: as long as clients may keep the old
    /// address.</summary>
    public TimeSpan Settle { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Below it services have their names.</summary>
    public Hostname Zone { get; init; } = MasterKeys.UsualZone;

    public DnsOptions Dns { get; init; } = new();

    /// <summary>Nodes that are to join.</summary>
    public IReadOnlyList<ExpectedNode> Nodes { get; init; } = [];

    public AlertOptions Alerts { get; init; } = AlertOptions.Usual;

    /// <exception cref="McpException">config.missing</exception>
    /// <exception cref="ServiceFileException">The file has mistakes; lists all of them.</exception>
    public static MasterConfig Read(string file)
    {
        if (!File.Exists(file))
            throw Missing(file);
        return KeyFile.Read(File.ReadAllText(file), file, MasterKeys.All, MasterKeys.Check);
    }

    private static McpException Missing(string file)
    {
        var state = Path.GetDirectoryName(Path.GetFullPath(file)) ?? ".";
        return File.Exists(Path.Combine(state, "ca.key"))
            ? new McpException(
                ErrorCode.ConfigMissing,
                $"there is no configuration {file}; an init was interrupted",
                $"repeat it: mcp-master init --state {state} --listen ADDRESS:PORT")
            : new McpException(
                ErrorCode.ConfigMissing,
                $"there is no configuration {file}",
                "make one: mcp-master init --state DIR --listen ADDRESS:PORT");
    }
}

/// <summary>A node that is to join.</summary>
public sealed record ExpectedNode(Label Name, IReadOnlyList<NodeRole> Roles);
