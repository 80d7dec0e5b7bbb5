using Mcp.Machine;

namespace Mcp.Cli.Output;

/// <summary>Standard output or standard error as they are, written where they stand. The stream of .NET would set up the terminal
/// first.</summary>
internal sealed class StandardStream(int file) : Stream
{
    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override void Write(byte[] buffer, int offset, int count) => Posix.WriteAll(file, buffer.AsSpan(offset, count));

    public override void Write(ReadOnlySpan<byte> buffer) => Posix.WriteAll(file, buffer);

    public override void Flush()
    {
        // Nothing is held back.
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();
}
