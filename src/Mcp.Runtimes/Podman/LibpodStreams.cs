using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;

namespace Mcp.Runtimes.Podman;

/// <summary>podman's streams: JSON by the line, and log frames of 8 bytes header (stream, 3 zeros, length big-endian) and
/// payload.</summary>
internal static class LibpodStreams
{
    private const int LongestFrame = 1024 * 1024;

    public static async IAsyncEnumerable<string> LinesAsync(Stream stream, [EnumeratorCancellation] CancellationToken ct)
    {
        using var reader = new StreamReader(stream);
        while (await ReadLineAsync(reader, ct) is { } line)
        {
            if (line.Length > 0)
                yield return line;
        }
    }

    public static async IAsyncEnumerable<(bool Stderr, string Text)> FramesAsync(
        Stream stream,
        [EnumeratorCancellation] CancellationToken ct)
    {
        var header = new byte[8];
        while (await FillAsync(stream, header, ct))
        {
            var length = BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(4));
            if (length > LongestFrame)
                throw new LibpodException(0, $"a log frame of {length} bytes");
            var payload = new byte[length];
            if (!await FillAsync(stream, payload, ct))
                yield break;
            yield return (header[0] == 2, Encoding.UTF8.GetString(payload).TrimEnd('\n', '\r'));
        }
    }

    /// <summary>A line that podman put a timestamp (RFC 3339, up to nanoseconds) and a space before.</summary>
    public static LogLine Stamped(bool stderr, string text)
    {
        var space = text.IndexOf(' ', StringComparison.Ordinal);
        var stamp = space < 0 ? text : text[..space];
        return DateTimeOffset.TryParse(stamp, CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind, out var time)
            ? new LogLine(time, stderr, space < 0 ? "" : text[(space + 1)..])
            : new LogLine(DateTimeOffset.UnixEpoch, stderr, text);
    }

    private static async Task<string?> ReadLineAsync(StreamReader reader, CancellationToken ct)
    {
        try
        {
            return await reader.ReadLineAsync(ct);
        }
        catch (Exception e) when (e is IOException or HttpRequestException)
        {
            return null;
        }
    }

    private static async Task<bool> FillAsync(Stream stream, byte[] buffer, CancellationToken ct)
    {
        try
        {
            await stream.ReadExactlyAsync(buffer, ct);
            return true;
        }
        catch (Exception e) when (e is IOException or HttpRequestException)
        {
            return false;
        }
    }
}
