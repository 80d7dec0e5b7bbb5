using System.Net.Sockets;
using System.Text;
using Mcp.Agent.Proxy;
using Mcp.Machine;
using Mcp.Model.Errors;

namespace Mcp.Agent.ProxyProcess.Handover;

/// <summary>The new proxy's side of a hand-over: whoever is the proxy when this one starts. See <see cref="Successor"/>.</summary>
internal sealed class Predecessor : IDisposable
{
    private const int LongestHead = 4096;
    private static readonly TimeSpan s_answer = TimeSpan.FromSeconds(5);

    // It may be at work for others; after that it hangs.
    private static readonly TimeSpan s_close = TimeSpan.FromSeconds(10);
    private static readonly byte[] s_question = Encoding.ASCII.GetBytes(
        $"GET {ProxyControlPaths.Sockets} HTTP/1.1\r\nHost: proxy\r\nConnection: Upgrade\r\nUpgrade: mcp-sockets\r\n\r\n");

    private readonly Socket _socket;

    private Predecessor(Socket socket) => _socket = socket;

    /// <summary>Its listening sockets. Empty: it ended just now.</summary>
    public IReadOnlyList<nint> Sockets { get; private init; } = [];

    /// <summary>Null: there is none.</summary>
    /// <exception cref="McpException">proxy.start: there is one that does not hand over, or not now.</exception>
    public static Predecessor? Find(AgentConfig config)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            socket.Connect(new UnixDomainSocketEndPoint(config.ProxySocket));
        }
        catch (SocketException)
        {
            socket.Dispose();
            return null;
        }

        try
        {
            return Ask(socket);
        }
        catch (SocketException)
        {
            socket.Dispose();
            return null;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>This proxy listens and is the one that proxy.sock leads to: the one before takes no more connections when this
    /// returns.</summary>
    public void Release()
    {
        try
        {
            _socket.Send([HandoverMark.Ready]);
            // What hangs shares the sockets, and whatever it takes from there hangs, too.
            if (!_socket.Poll(s_close, SelectMode.SelectRead))
                Posix.Signal(Posix.Peer(_socket).Process, Posix.KillSignal);
        }
        catch (SocketException)
        {
            // It has ended.
        }
    }

    public void Dispose() => _socket.Dispose();

    private static Predecessor Ask(Socket socket)
    {
        var user = Posix.Peer(socket).User;
        if (user != Posix.User && user != 0)
            throw Refused("is another user's");
        socket.Send(s_question);
        var head = Head(socket);
        if (!head.StartsWith("HTTP/1.1 101 ", StringComparison.Ordinal))
            throw Refused(head.Length == 0 ? "does not answer" : $"does not hand over: {head.Split('\r')[0]}");
        socket.Send([HandoverMark.Want]);
        return socket.Poll(s_answer, SelectMode.SelectRead)
            ? new Predecessor(socket) { Sockets = Posix.ReceiveFiles(socket.SafeHandle) }
            : throw Refused("does not answer");
    }

    // Nothing comes after it until it is asked for.
    private static string Head(Socket socket)
    {
        var read = new byte[LongestHead];
        var length = 0;
        while (!read.AsSpan(0, length).EndsWith("\r\n\r\n"u8) && length < read.Length && socket.Poll(s_answer, SelectMode.SelectRead))
        {
            if (socket.Receive(read.AsSpan(length)) is var more and > 0)
                length += more;
            else
                break;
        }

        return Encoding.ASCII.GetString(read, 0, length);
    }

    private static McpException Refused(string why) =>
        new(ErrorCode.ProxyStart, $"the node proxy that runs here {why}", "the agent tries again by itself");
}
