using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using System.Text;

namespace Mcp.Runtimes.Podman;

/// <summary>podman's streams: JSON by the line, and what programs print in frames of 8 bytes header (stream, 3 zeros, length big-endian)
/// and payload.</summary>
internal static class LibpodStreams
{
    private const int LongestLine = 1024 * 1024;

    public static async IAsyncEnumerable<string> LinesAsync(Stream stream, [EnumeratorCancellation] CancellationToken ct)
    {
        var reader = PipeReader.Create(stream);
        while (await ReadLineAsync(reader, ct) is { } line)
        {
            if (line.Length > 0)
                yield return line;
        }
    }

    /// <summary>What a program printed, both streams as they came, to the end. Of what is not framed every byte counts: podman puts its own
    /// words there at times.</summary>
    /// <param name="most">Bytes that are kept; the rest is read and dropped.</param>
    public static async Task<string> OutputAsync(Stream stream, int most, CancellationToken ct)
    {
        var kept = new MemoryStream();
        var header = new byte[8];
        var buffer = new byte[16 * 1024];
        while (true)
        {
            var got = await stream.ReadAtLeastAsync(header, header.Length, throwOnEndOfStream: false, ct);
            var isFrame = got == header.Length && header is [<= 3, 0, 0, 0, ..];
            if (!isFrame)
                Keep(header.AsSpan(0, got));
            if (got < header.Length)
                return Encoding.UTF8.GetString(kept.GetBuffer(), 0, (int)kept.Length);
            var left = isFrame ? BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(4)) : long.MaxValue;
            while (left > 0)
            {
                var read = await stream.ReadAsync(buffer.AsMemory(0, (int)Math.Min(left, buffer.Length)), ct);
                if (read == 0)
                    break;
                Keep(buffer.AsSpan(0, read));
                left -= read;
            }
        }

        void Keep(ReadOnlySpan<byte> bytes) => kept.Write(bytes[..Math.Min(bytes.Length, most - (int)kept.Length)]);
    }

    private static async Task<string?> ReadLineAsync(PipeReader reader, CancellationToken ct)
    {
        try
        {
            while (true)
            {
                var read = await reader.ReadAsync(ct);
                var end = read.Buffer.PositionOf((byte)'\n');
                if (end is null && read.Buffer.Length > LongestLine)
                    throw new LibpodException(0, $"a line of more than {LongestLine} bytes");
                if (end is null && !read.IsCompleted)
                {
                    reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
                    continue;
                }

                var line = end is null ? read.Buffer : read.Buffer.Slice(0, end.Value);
                var text = end is null && line.IsEmpty ? null : Encoding.UTF8.GetString(line).TrimEnd('\r');
                reader.AdvanceTo(end is null ? read.Buffer.End : read.Buffer.GetPosition(1, end.Value));
                return text;
            }
        }
        catch (Exception e) when (e is IOException or HttpRequestException)
        {
            return null;
        }
    }
}
