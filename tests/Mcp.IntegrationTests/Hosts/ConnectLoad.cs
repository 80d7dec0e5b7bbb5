using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Mcp.IntegrationTests.Hosts;

/// <summary>Clients of a proxy that notice everything: those with a connection for each request, and those that keep theirs until they are
/// told that it ends. None tries anything again.</summary>
internal sealed class ConnectLoad : IAsyncDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);
    private readonly CancellationTokenSource _end = new();
    private readonly List<Task> _clients = [];
    private readonly ConcurrentBag<string> _failures = [];
    private readonly byte[] _once;
    private readonly byte[] _again;
    private readonly IPEndPoint _at;
    private int _connects;
    private int _requests;
    private long _slowest;

    public ConnectLoad(int port, string host, int connectors, int keepers)
    {
        _at = new IPEndPoint(IPAddress.Loopback, port);
        _once = Encoding.ASCII.GetBytes($"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        _again = Encoding.ASCII.GetBytes($"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        for (var i = 0; i < connectors; i++)
            _clients.Add(Task.Run(() => ConnectAsync(_end.Token)));
        for (var i = 0; i < keepers; i++)
            _clients.Add(Task.Run(() => KeepAsync(_end.Token)));
    }

    /// <summary>Answered ones, with a connection of their own.</summary>
    public int Connects => Volatile.Read(ref _connects);

    /// <summary>Answered ones on connections that were kept.</summary>
    public int Requests => Volatile.Read(ref _requests);

    public TimeSpan Slowest => Stopwatch.GetElapsedTime(0, Volatile.Read(ref _slowest));

    public IReadOnlyCollection<string> Failures => _failures;

    public Task UntilAsync(int connects) => NodeFixture.UntilAsync(
        () => Task.FromResult(Connects >= connects),
        string.Create(CultureInfo.InvariantCulture, $"{connects} connects"),
        () => Task.FromResult(string.Join('\n', _failures)));

    public async Task EndAsync()
    {
        await _end.CancelAsync();
        await Task.WhenAll(_clients);
    }

    public async ValueTask DisposeAsync()
    {
        await EndAsync();
        _end.Dispose();
    }

    private async Task ConnectAsync(CancellationToken end)
    {
        while (!end.IsCancellationRequested)
        {
            var began = Stopwatch.GetTimestamp();
            try
            {
                using var socket = await OpenAsync();
                if (await AskAsync(socket, _once) is null)
                    _failures.Add("closed without an answer");
                else
                    Interlocked.Increment(ref _connects);
            }
            catch (Exception e) when (e is SocketException or OperationCanceledException or InvalidDataException)
            {
                _failures.Add(e.Message);
            }

            var took = Stopwatch.GetTimestamp() - began;
            for (var slowest = Volatile.Read(ref _slowest); took > slowest; slowest = Volatile.Read(ref _slowest))
                Interlocked.CompareExchange(ref _slowest, took, slowest);
        }
    }

    private async Task KeepAsync(CancellationToken end)
    {
        while (!end.IsCancellationRequested)
        {
            try
            {
                using var socket = await OpenAsync();
                for (var last = false; !last && !end.IsCancellationRequested;)
                {
                    var head = await AskAsync(socket, _again) ?? throw new InvalidDataException("a kept connection was closed unasked");
                    last = head.Contains("Connection: close", StringComparison.OrdinalIgnoreCase);
                    Interlocked.Increment(ref _requests);
                }
            }
            catch (Exception e) when (e is SocketException or OperationCanceledException or InvalidDataException)
            {
                _failures.Add(e.Message);
            }
        }
    }

    private async Task<Socket> OpenAsync()
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        using var limit = new CancellationTokenSource(s_patience);
        await socket.ConnectAsync(_at, limit.Token);
        return socket;
    }

    /// <summary>One answer's body.</summary>
    public async Task<string> FetchAsync()
    {
        using var socket = await OpenAsync();
        return (await AskAsync(socket, _once) ?? "").Split("\r\n\r\n")[^1].Trim();
    }

    // Head and body, whose length it says; null: closed before a byte.
    private static async Task<string?> AskAsync(Socket socket, byte[] question)
    {
        using var limit = new CancellationTokenSource(s_patience);
        await socket.SendAsync(question, limit.Token);
        var buffer = new byte[4096];
        for (var length = 0; ;)
        {
            var read = await socket.ReceiveAsync(buffer.AsMemory(length), limit.Token);
            if (read == 0)
                return length == 0 ? null : throw new InvalidDataException("half an answer");
            length += read;
            var text = Encoding.ASCII.GetString(buffer, 0, length);
            if (text.Split("\r\n\r\n") is not [var head, var body] || body.Length < Length(head))
                continue;
            return head.StartsWith("HTTP/1.1 200", StringComparison.Ordinal) ? text : throw new InvalidDataException(head.Split('\r')[0]);
        }
    }

    private static int Length(string head)
    {
        const string Name = "Content-Length: ";
        var line = head.Split("\r\n").FirstOrDefault(l => l.StartsWith(Name, StringComparison.OrdinalIgnoreCase));
        return line is null
            ? throw new InvalidDataException(head.Split('\r')[0])
            : int.Parse(line[Name.Length..], CultureInfo.InvariantCulture);
    }
}
