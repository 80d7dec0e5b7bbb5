namespace Mcp.Agent.ProxyProcess.Passing;

/// <summary>A connection for one request of the server as a whole: OPTIONS * (RFC 9110 9.3.7). .NET's client knows targets that are paths
/// only, so it is told one that stands for this.</summary>
internal sealed class AsteriskConnection(Stream server) : Stream
{
    /// <summary>What the client is to ask for.</summary>
    public const string Target = "/*";

    private static readonly byte[] s_told = [.. "OPTIONS /* "u8];
    private static readonly byte[] s_meant = [.. "OPTIONS * "u8];
    private bool _begun;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var isStart = !_begun && buffer.Span.StartsWith(s_told);
        _begun = true;
        if (isStart)
            buffer = (byte[])[.. s_meant, .. buffer.Span[s_told.Length..]];
        await server.WriteAsync(buffer, cancellationToken);
    }

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        server.ReadAsync(buffer, cancellationToken);

    public override Task FlushAsync(CancellationToken cancellationToken) => server.FlushAsync(cancellationToken);

    public override void Flush() => server.Flush();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            server.Dispose();
        base.Dispose(disposing);
    }
}
