using System.Net;
using ARSoft.Tools.Net.Dns;

namespace Mcp.Master.Dns.Builtin;

/// <summary>UDP, but what is no question gets no answer, and whoever is told "no" is told it in no more bytes than were sent, or not at
/// all: broken and foreign questions in somebody else's name gain nothing.</summary>
internal sealed class UdpWithoutGain(IPEndPoint listen) : IServerTransport
{
    private readonly UdpServerTransport _udp = new(listen);

    public ushort DefaultAllowedResponseSize => _udp.DefaultAllowedResponseSize;

    public bool SupportsMultipleResponses => _udp.SupportsMultipleResponses;

    public bool AllowTruncatedResponses => _udp.AllowTruncatedResponses;

    public TransportProtocol TransportProtocol => _udp.TransportProtocol;

    public void Bind() => _udp.Bind();

    public void Close() => _udp.Close();

    public async Task<IServerConnection?> AcceptConnectionAsync(CancellationToken token = default) =>
        await _udp.AcceptConnectionAsync(token) is { } connection ? new Measured(connection, listen) : null;

    public void Dispose() => ((IDisposable)_udp).Dispose();

    private sealed class Measured(IServerConnection connection, IPEndPoint listen) : IServerConnection
    {
        private int _asked;

        public IServerTransport Transport => connection.Transport;

        public bool CanRead => connection.CanRead;

        public IPEndPoint RemoteEndPoint => connection.RemoteEndPoint;

        public IPEndPoint LocalEndPoint => connection.LocalEndPoint;

        public Task<bool> InitializeAsync(CancellationToken token = default) => connection.InitializeAsync(token);

        public async Task<DnsReceivedRawPackage?> ReceiveAsync(CancellationToken token = default)
        {
            var received = await connection.ReceiveAsync(token);
            if (received is null || !Question.Is(received.ToArraySegment(false)) || !Question.MayComeFrom(RemoteEndPoint, listen))
                return null;
            _asked = received.Length;
            return received;
        }

        public Task<bool> SendAsync(DnsRawPackage package, CancellationToken token = default) =>
            package.Length > _asked && !Says(package.ToArraySegment(false)) ? Task.FromResult(true) : connection.SendAsync(package, token);

        // RFC 1035 4.1.1: the low four bits of the fourth byte; no error, or no such name.
        private static bool Says(ArraySegment<byte> answer) => answer.Count > 3 && (answer[3] & 0xF) is 0 or 3;

        public void Dispose() => connection.Dispose();
    }
}
