using System.Net;
using System.Net.Sockets;

namespace Mcp.Agent.ProxyProcess.Passing;

/// <summary>Connects to instances so that a dead one shows.</summary>
internal static class BackendSocket
{
    // linux/tcp.h
    private const int TcpLevel = 6;
    private const int TcpUserTimeout = 18;
    private const int UnacknowledgedLimitMs = 3000;
    private const int QuietSeconds = 15;
    private const int AskedEverySeconds = 5;

    // A dead instance's address vanishes without a reset, so a connection to it would hang until its activity time-out.
    public static async ValueTask<Socket> ConnectAsync(EndPoint instance, CancellationToken ct)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            socket.SetRawSocketOption(TcpLevel, TcpUserTimeout, BitConverter.GetBytes(UnacknowledgedLimitMs));
            // One that waits for an answer has nothing under way that could be missing.
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, QuietSeconds);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, AskedEverySeconds);
            await socket.ConnectAsync(instance, ct);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
