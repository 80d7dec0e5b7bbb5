using System.Net;
using System.Net.Sockets;
using ARSoft.Tools.Net.Dns;
using Mcp.Daemon.Doors;

namespace Mcp.Master.Dns.Builtin;

/// <summary>TCP with an end to everything: the library's own keeps silent connections for ever (RFC 7766 6.2.3 wants them
/// closed).</summary>
internal sealed class TcpWithLimits(IPEndPoint listen, ConnectionLimit limit) : IServerTransport
{
    private const int Backlog = 512;

    // Out of files, or a connection that was gone before it was taken.
    private static readonly TimeSpan s_again = TimeSpan.FromMilliseconds(50);
    private Socket? _socket;

    public ushort DefaultAllowedResponseSize => ushort.MaxValue;

    public bool SupportsMultipleResponses => true;

    public bool AllowTruncatedResponses => false;

    public TransportProtocol TransportProtocol => TransportProtocol.Tcp;

    public void Bind()
    {
        _socket = new Socket(listen.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        _socket.Bind(listen);
        _socket.Listen(Backlog);
    }

    public void Close() => _socket?.Close();

    public async Task<IServerConnection?> AcceptConnectionAsync(CancellationToken token = default)
    {
        while (true)
        {
            Socket? client = null;
            try
            {
                client = await _socket!.AcceptAsync(token);
                var ends = ((IPEndPoint)client.RemoteEndPoint!, (IPEndPoint)client.LocalEndPoint!);
                if (limit.Enter(ends.Item1.Address, client.Close) is { } slot)
                    return new TcpQuestions(this, client, ends, slot);
                client.Close();
            }
            catch (SocketException)
            {
                client?.Close();
                // Also when it was closed: the next try says so.
                await Task.Delay(s_again, TimeProvider.System, token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch (Exception e) when (e is ObjectDisposedException or OperationCanceledException)
            {
                return null;
            }
        }
    }

    public void Dispose() => Close();
}
