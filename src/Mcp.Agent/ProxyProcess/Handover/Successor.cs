using System.Net.Sockets;
using Mcp.Agent.Proxy;
using Mcp.Machine;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;

namespace Mcp.Agent.ProxyProcess.Handover;

/// <summary>This proxy's side of a hand-over, which the new one asks for. Until that one is ready, nothing changes here.</summary>
internal sealed class Successor(ListenSockets sockets, ControlSockets control, Departure departure)
{
    /// <summary>From its question until it is ready: less than a second, on a busy machine some.</summary>
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(30);

    private int _busy;

    /// <summary>
    /// 1. The new one wants the sockets (WANT). 2. It gets them. 3. It listens, is what proxy.sock leads to, and says READY. 4. This one
    /// takes no more connections, and says CLOSED. A new one that ends before 3 was none.
    /// </summary>
    public async Task GiveAsync(HttpContext context)
    {
        var socket = context.Features.GetRequiredFeature<IConnectionSocketFeature>().Socket;
        var peer = Posix.Peer(socket);
        var isOurs = peer.User == Posix.User || peer.User == 0;
        if (!isOurs || context.Features.Get<IHttpUpgradeFeature>() is not { IsUpgradableRequest: true } upgrade)
        {
            context.Response.StatusCode = isOurs ? StatusCodes.Status400BadRequest : StatusCodes.Status403Forbidden;
            return;
        }

        if (departure.HasBegun || Interlocked.Exchange(ref _busy, 1) == 1)
        {
            context.Response.StatusCode = StatusCodes.Status409Conflict;
            return;
        }

        try
        {
            using var limit = new Within(s_limit, context.RequestAborted);
            await using var stream = await upgrade.UpgradeAsync();
            if (await HearsAsync(stream, HandoverMark.Want, limit))
                Posix.SendFiles(socket.SafeHandle, sockets.Give());
            if (await HearsAsync(stream, HandoverMark.Ready, limit))
            {
                departure.Begin();
                await SayAsync(stream, HandoverMark.Closed, limit.Token);
                return;
            }

            // It may listen already, and share what comes here.
            if (limit.IsOver)
                Posix.Signal(peer.Process, Posix.KillSignal);
            if (control.Leader != Environment.ProcessId)
                control.Lead(Environment.ProcessId);
        }
        finally
        {
            Interlocked.Exchange(ref _busy, 0);
        }
    }

    private static async Task SayAsync(Stream stream, byte mark, CancellationToken ct)
    {
        try
        {
            await stream.WriteAsync(new[] { mark }, ct);
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException)
        {
            // It has ended: another one comes.
        }
    }

    // False: it has ended, or takes too long.
    private static async Task<bool> HearsAsync(Stream stream, byte mark, Within limit)
    {
        var read = new byte[1];
        try
        {
            return await stream.ReadAsync(read, limit.Token) == 1 && read[0] == mark;
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException)
        {
            return false;
        }
    }
}

/// <summary>What the two say to each other after the question was answered with 101.</summary>
internal static class HandoverMark
{
    public const byte Want = (byte)'W';
    public const byte Ready = (byte)'R';
    public const byte Closed = (byte)'C';
}
