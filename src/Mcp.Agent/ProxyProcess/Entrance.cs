using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Mcp.Agent.ProxyProcess;

/// <summary>Where a connection came in, which says what it may ask for.</summary>
internal enum EntranceKind
{
    /// <summary>The agent, on the Unix socket.</summary>
    Control,

    /// <summary>This machine.</summary>
    Local,

    /// <summary>Other nodes, over TLS.</summary>
    Overlay,

    /// <summary>The public, without TLS.</summary>
    PublicPlain,

    /// <summary>The public, over TLS.</summary>
    Public,

    /// <summary>Whoever collects the metrics.</summary>
    Metrics,
}

/// <summary>A connection's feature.</summary>
internal sealed class Entrance
{
    private Entrance(EntranceKind kind) => Kind = kind;

    public EntranceKind Kind { get; }

    public static EntranceKind Of(HttpContext context) => context.Feature<Entrance>() is { } entrance
        ? entrance.Kind
        : throw new InvalidOperationException("a listener without an entrance");

    /// <summary>Marks every connection of a listener.</summary>
    public static void Mark(ListenOptions listen, EntranceKind kind)
    {
        var entrance = new Entrance(kind);
        listen.Use(next => connection =>
        {
            connection.Features.Set(entrance);
            return next(connection);
        });
    }
}
