using Mcp.Model.Errors;

namespace Mcp.Runtimes.Images;

/// <summary>An archive on its way to the reader of archives, which takes a header of any size into memory: refuses those that are too
/// large, counts all that passes. Its user says whether the reader is about to read headers or a file; only so both have the same idea of
/// where a header is, whatever sizes the archive claims.</summary>
internal sealed class TarBounds(Stream tar, Allowance allowance) : Stream
{
    private const int BlockBytes = 512;
    private const int TypeAt = 156;
    private const int SizeAt = 124;
    private const int SizeLength = 12;
    private const int MaxAttributes = 1024 * 1024;
    private const int MaxName = 64 * 1024;
    private const int MaxBeforeEntry = 8;
    private readonly byte[] _block = new byte[BlockBytes];
    private (int From, int To) _held;
    private long _position;
    private long _special;
    private int _before;
    private bool _headers;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    /// <summary>The reader asks for the next entry: what is left of the last block, headers, and what belongs to them.</summary>
    public void Headers() => (_headers, _before) = (true, 0);

    /// <summary>The content of the entry is read.</summary>
    public void Content() => _headers = false;

    /// <exception cref="McpException">image.pull, image.too_large, disk.full</exception>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (buffer.Length == 0)
            return 0;
        var into = (int)(_position % BlockBytes);
        if (_held.From == _held.To && (!_headers || _special > 0 || into > 0))
        {
            var most = (_headers, _special) switch
            {
                (false, _) => buffer.Length,
                (true, > 0) => Math.Min(_special, buffer.Length),
                _ => Math.Min(BlockBytes - into, buffer.Length),
            };
            var read = await tar.ReadAsync(buffer[..(int)most], cancellationToken);
            _special -= _special > 0 ? read : 0;
            Passed(read);
            return read;
        }

        if (_held.From == _held.To)
        {
            var read = await tar.ReadAtLeastAsync(_block, BlockBytes, throwOnEndOfStream: false, cancellationToken);
            _held = (0, read);
            Passed(read);
            if (read == BlockBytes)
                Inspect();
        }

        var part = _block.AsMemory(_held.From, Math.Min(_held.To - _held.From, buffer.Length));
        part.CopyTo(buffer);
        _held.From += part.Length;
        return part.Length;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    // The reader is only used asynchronously.
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    private void Passed(int bytes)
    {
        _position += bytes;
        allowance.Bytes(bytes);
    }

    private void Inspect()
    {
        var max = (char)_block[TypeAt] switch
        {
            'x' or 'g' or 'X' => MaxAttributes,
            'L' or 'K' or 'N' => MaxName,
            'S' => throw OciReader.Wrong(
                "a layer has a sparse file in GNU's old format, which is not supported: pack the image with another program"),
            _ => -1,
        };
        if (max < 0)
            return;
        var size = Size();
        if (size is null || size > max)
        {
            throw OciReader.Wrong(
                $"a layer has a header of {(size is null ? "a size that cannot be read" : $"{size} bytes")}; {max} are allowed");
        }

        if (++_before > MaxBeforeEntry)
            throw OciReader.Wrong($"a layer has more than {MaxBeforeEntry} headers for one file");
        _special = (size.Value + BlockBytes - 1) / BlockBytes * BlockBytes;
    }

    // Octal digits and nothing else, so that every reader reads the same; null: something else.
    private long? Size()
    {
        var digits = _block.AsSpan(SizeAt, SizeLength).Trim("\0 "u8);
        long size = 0;
        foreach (var digit in digits)
        {
            if (digit is < (byte)'0' or > (byte)'7')
                return null;
            size = (size * 8) + digit - '0';
        }

        return size;
    }
}
