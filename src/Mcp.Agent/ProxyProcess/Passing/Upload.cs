namespace Mcp.Agent.ProxyProcess.Passing;

/// <summary>A request's body that may come to an end before the client has sent it: a server may answer without reading it, and its answer
/// counts.</summary>
/// <param name="received">The client's.</param>
/// <param name="length">Bytes; null: nobody has said.</param>
internal sealed class Upload(Stream received, long? length) : Stream
{
    /// <summary>What is short enough goes to a server in one piece, whether it is read or not.</summary>
    public const int Short = 16 * 1024;

    // The rest is made up where the length was announced, at memory's speed, and thrown away.
    private const long MostMadeUp = 4L * 1024 * 1024 * 1024;

    private readonly CancellationTokenSource _answered = new();
    private long _left = length ?? long.MaxValue;

    /// <summary>Nobody wants the rest.</summary>
    public bool IsAnswered => _answered.IsCancellationRequested;

    public CancellationToken Answered => _answered.Token;

    /// <summary>What is passed on goes nowhere from now on: the rest may be anything. False: reading fails.</summary>
    public bool MakesUp { get; set; }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>The server has answered, or is gone.</summary>
    public void End() => _answered.Cancel();

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (IsAnswered)
        {
            // It comes at memory's speed, where other connections' bytes are waited for.
            await Task.Yield();
            return Rest(buffer.Length);
        }

        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, Answered);
        try
        {
            var read = await received.ReadAsync(buffer, either.Token);
            _left -= read;
            return read;
        }
        catch (OperationCanceledException) when (IsAnswered && !cancellationToken.IsCancellationRequested)
        {
            return Rest(buffer.Length);
        }
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Flush() => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _answered.Dispose();
        base.Dispose(disposing);
    }

    private int Rest(int room)
    {
        if (length is null && MakesUp)
            return 0;
        if (!MakesUp || _left > MostMadeUp)
            throw new IOException("the service has answered without reading this");
        var made = (int)Math.Min(room, _left);
        _left -= made;
        return made;
    }
}
