using Mcp.Daemon.Operations;
using Mcp.Model.Names;

namespace Mcp.Daemon.Revisions;

/// <summary>A revision that was put to work on a service.</summary>
public sealed record Release
{
    public required Label Service { get; init; }

    /// <summary>From 1, and up for ever, wherever the service runs.</summary>
    public required long Number { get; init; }

    /// <summary>The id of the revision.</summary>
    public required string Revision { get; init; }

    public required DateTimeOffset Began { get; init; }

    /// <summary>Null: it is under way.</summary>
    public DateTimeOffset? Ended { get; init; }

    /// <summary>The name on the token of who asked for it.</summary>
    public required string By { get; init; }

    /// <summary>Null: it is under way.</summary>
    public Outcome? Outcome { get; init; }

    /// <summary>What failed; empty: nothing.</summary>
    public string Why { get; init; } = "";
}
