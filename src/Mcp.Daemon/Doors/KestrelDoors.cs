using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Mcp.Daemon.Doors;

/// <summary>Connection limits for what Kestrel listens on.</summary>
public static class KestrelDoors
{
    /// <summary>Before TLS: also who never says hello takes a place. Connections of this machine, where a proxy may stand in front, count
    /// as no source.</summary>
    public static void Bound(this ListenOptions listen, ConnectionLimit limit) => listen.Use(next => async connection =>
    {
        var from = (connection.RemoteEndPoint as IPEndPoint)?.Address;
        using var slot = limit.Enter(from is not null && IPAddress.IsLoopback(from) ? null : from, connection.Abort);
        if (slot is null)
        {
            connection.Abort();
            return;
        }

        connection.Features.Set(slot);
        await next(connection);
    });

    /// <summary>A gRPC call whose message has no more bytes than that, and is not compressed: of a few bytes it could make as much as it
    /// likes.</summary>
    public static void KeepShort(HttpContext context, long longest)
    {
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } body)
            body.MaxRequestBodySize = longest;
        // A compressed message without it is refused by gRPC.
        context.Request.Headers.Remove("grpc-encoding");
    }

    /// <summary>Middleware: a connection with a request, a stream or a WebSocket under way is not closed to make room.</summary>
    public static async Task CountAsync(HttpContext context, RequestDelegate next)
    {
        var slot = context.Features.Get<ConnectionSlot>();
        slot?.Begin();
        try
        {
            await next(context);
        }
        finally
        {
            slot?.End();
        }
    }
}
