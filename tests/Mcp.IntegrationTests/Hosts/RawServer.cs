using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Mcp.IntegrationTests.Hosts;

/// <summary>A server that gives back the bytes it is told, and keeps what it got. Text is bytes, as Latin-1.</summary>
internal sealed class RawServer : IAsyncDisposable
{
    private readonly TcpListener _listener;
    private readonly CancellationTokenSource _over = new();
    private readonly Task _serving;
    private readonly Func<NetworkStream, string, CancellationToken, Task> _answer;

    /// <param name="answer">Of a request whose head has come: the head, with the empty line. The connection is closed then.</param>
    /// <param name="port">0: any.</param>
    public RawServer(Func<NetworkStream, string, CancellationToken, Task> answer, int port = 0)
    {
        _listener = new TcpListener(IPAddress.Loopback, port);
        _answer = answer;
        _listener.Start();
        _serving = ServeAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public ConcurrentQueue<string> Heads { get; } = [];

    public static async Task SendAsync(Stream to, string bytes, CancellationToken ct) =>
        await to.WriteAsync(Encoding.Latin1.GetBytes(bytes), ct);

    /// <summary>Up to and with the empty line, and nothing after it.</summary>
    public static async Task<string> HeadAsync(Stream from, CancellationToken ct)
    {
        var (got, one) = (new StringBuilder(), new byte[1]);
        while (await from.ReadAsync(one, ct) > 0)
        {
            got.Append((char)one[0]);
            if (one[0] == '\n' && got.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
                break;
        }

        return got.ToString();
    }

    public async ValueTask DisposeAsync()
    {
        await _over.CancelAsync();
        _listener.Dispose();
        await _serving;
        _over.Dispose();
    }

    private async Task ServeAsync()
    {
        var connections = new List<Task>();
        try
        {
            while (true)
                connections.Add(ServeAsync(await _listener.AcceptSocketAsync(_over.Token)));
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            await Task.WhenAll(connections);
        }
    }

    private async Task ServeAsync(Socket client)
    {
        await using var stream = new NetworkStream(client, ownsSocket: true);
        try
        {
            var head = await HeadAsync(stream, _over.Token);
            if (head.Length == 0)
                return;
            Heads.Enqueue(head);
            await _answer(stream, head, _over.Token);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // The test is over, or the client has gone.
        }
    }
}
