using System.Net;
using System.Net.Sockets;
using ARSoft.Tools.Net.Dns;
using Mcp.Daemon.Doors;
using Mcp.Model.Errors;

namespace Mcp.Master.Dns.Builtin;

/// <summary>Serves the zone over UDP and TCP. A source that asks too much over UDP is told to come by TCP, in an answer no longer than its
/// question: nobody can be flooded through it.</summary>
public sealed class ZoneServer : IDisposable
{
    private const int MostConnections = 1000;
    private const int ConnectionsOfOneSource = 50;

    // Of the files that the master may have open.
    private const int PartOfFiles = 8;
    private readonly DnsServer _server;
    private readonly IServerTransport[] _transports;
    private readonly Zone _zone;
    private readonly SourceLimit _limit;

    /// <exception cref="McpException">dns.listen: the address cannot be had.</exception>
    public ZoneServer(Zone zone, IPEndPoint listen, SourceLimit limit)
    {
        (_zone, _limit) = (zone, limit);
        var most = OpenFiles.Share(MostConnections, PartOfFiles);
        var connections = new ConnectionLimit(
            $"DNS over TCP on {listen}",
            most,
            ConnectionsOfOneSource,
            null,
            Console.Error.WriteLine,
            TimeProvider.System);
        _transports = [new UdpWithoutGain(listen), new TcpWithLimits(listen, connections)];
        _server = new DnsServer(_transports);
        _server.QueryReceived += AnswerAsync;
        try
        {
            _server.Start();
        }
        catch (SocketException e)
        {
            // One of the two may have been had.
            Close();
            throw new McpException(
                ErrorCode.DnsListen,
                $"cannot serve DNS on {listen}: {e.Message}",
                "is another name server there? choose another [dns] listen in master.toml (ports below 1024 take CAP_NET_BIND_SERVICE), or "
                    + "provider = \"none\"",
                e);
        }
    }

    public void Dispose()
    {
        try
        {
            ((IDisposable)_server).Dispose();
        }
        catch (AggregateException e) when (e.InnerExceptions.All(inner => inner is OperationCanceledException))
        {
            // Ended before its loops had begun: the library takes its own end for a failure, and closes nothing.
            Close();
        }
    }

    private void Close()
    {
        foreach (var transport in _transports)
            transport.Close();
    }

    private Task AnswerAsync(object sender, QueryReceivedEventArgs e)
    {
        e.Response = e.TransportProtocol == TransportProtocol.Udp && !_limit.May(e.RemoteEndpoint.Address) && e.Query is DnsMessage query
            ? ByTcp(query)
            : _zone.Answer(e.Query);
        return Task.CompletedTask;
    }

    private static DnsMessage ByTcp(DnsMessage query)
    {
        var answer = query.CreateResponseInstance();
        answer.IsTruncated = true;
        return answer;
    }
}
