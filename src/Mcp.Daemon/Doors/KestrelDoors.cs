using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Mcp.Daemon.Doors;

/// <summary>Connection limits for what Kestrel listens on.</summary>
public static class KestrelDoors
{
    /// <summary>Before TLS: also who never says hello takes a place. Connections of this machine, where a proxy may stand in front, count as no source.</summary>
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
