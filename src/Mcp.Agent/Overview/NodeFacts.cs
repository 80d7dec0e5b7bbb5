using Mcp.Agent.Disks;
using Mcp.Daemon.Identity;
using Mcp.Model.Names;
using Mcp.Runtimes;

namespace Mcp.Agent.Overview;

/// <summary>What a node is and has.</summary>
public sealed record NodeFacts
{
    public required Label Node { get; init; }

    /// <summary>Of the agent.</summary>
    public required string Version { get; init; }

    /// <summary>The internal zone as this node has it.</summary>
    public required string Zone { get; init; }

    /// <summary>address:port where its proxy ends TLS for the other nodes; null: off.</summary>
    public required string? Overlay { get; init; }

    /// <summary>It lets the public in.</summary>
    public required bool IsEdge { get; init; }

    public required bool ProxyAnswers { get; init; }

    /// <summary>Why it does not; null: it does, or nobody knows.</summary>
    public required string? ProxyFault { get; init; }

    public required IReadOnlyList<RuntimeFacts> Runtimes { get; init; }

    public required MachineFacts Machine { get; init; }

    /// <summary>That something of mcp's is on.</summary>
    public required IReadOnlyList<NodeDisk> Disks { get; init; }

    /// <summary>How many services are deployed here.</summary>
    public required int Services { get; init; }

    /// <summary>Of what it is known by.</summary>
    public required IReadOnlyList<Expiry> Endings { get; init; }
}

/// <summary>A runtime, and whether it can be used here.</summary>
public sealed record RuntimeFacts(string Name, RuntimeAvailability Availability);
