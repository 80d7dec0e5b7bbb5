using System.Net.Sockets;

namespace Mcp.Agent.ProxyProcess.Passing;

/// <summary>A connection to a server for one request with a long body. .NET's client looks for an answer only when it has sent the whole
/// body (HTTP/1.1); a server that refuses it answers before, and may close the connection. So this looks out for an answer meanwhile, and
/// what is written after it, or after the server has gone, is thrown away: then the client looks.</summary>
internal sealed class UploadConnection(Socket server, Upload upload) : NetworkStream(server, ownsSocket: true)
{
    // As in "HTTP/1.1 413".
    private const int StatusAt = 9;
    private const int StatusEnd = StatusAt + 3;
    private static readonly TimeSpan s_lookAgain = TimeSpan.FromMilliseconds(20);
    private readonly CancellationTokenSource _closed = new();
    private Task? _watch;
    private bool _isBegun;

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (upload.IsAnswered)
            return;
        // That the first piece cannot be sent shows the client that the request has not begun.
        if (_watch is null)
        {
            await base.WriteAsync(buffer, cancellationToken);
            _watch = WatchAsync();
            return;
        }

        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, upload.Answered);
        try
        {
            await base.WriteAsync(buffer, either.Token);
        }
        catch (OperationCanceledException) when (upload.IsAnswered && !cancellationToken.IsCancellationRequested)
        {
            // It does not read this any more.
        }
        catch (IOException)
        {
            Answered();
        }
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var read = await base.ReadAsync(buffer, cancellationToken);
        // Before the client knows: it would ask for the body all the same where that is short.
        if (_isBegun || read < StatusEnd)
            return read;
        _isBegun = buffer.Span[StatusAt] != (byte)'1';
        if (IsRefusal(buffer.Span))
            Answered();
        return read;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _closed.Cancel();
        base.Dispose(disposing);
    }

    private static bool IsRefusal(ReadOnlySpan<byte> answer) => answer.StartsWith("HTTP/1."u8) && answer[StatusAt] >= (byte)'3';

    private void Answered()
    {
        upload.MakesUp = true;
        upload.End();
    }

    // An answer of 200 may come while the server goes on reading.
    private async Task WatchAsync()
    {
        var start = new byte[StatusEnd];
        try
        {
            while (true)
            {
                await Socket.ReceiveAsync(Memory<byte>.Empty, _closed.Token);
                var seen = await Socket.ReceiveAsync(start, SocketFlags.Peek, _closed.Token);
                if (seen == StatusEnd && IsRefusal(start))
                    Answered();
                if (seen == 0 || (seen == StatusEnd && start[StatusAt] != '1'))
                    return;
                await Task.Delay(s_lookAgain, _closed.Token);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // Whoever reads it is told.
        }
    }
}
