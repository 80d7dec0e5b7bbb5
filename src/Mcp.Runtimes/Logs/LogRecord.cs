using System.Globalization;
using System.Text;

namespace Mcp.Runtimes.Logs;

/// <summary>What a record is of its line.</summary>
internal enum LogPiece
{
    /// <summary>The line goes on in the next record of its stream.</summary>
    Part,

    /// <summary>The line ends here.</summary>
    Last,

    /// <summary>No text: the program ended, and with it whatever it had not ended.</summary>
    Ended,
}

/// <summary>One line of a log file, as conmon writes it (k8s-file) and ConsoleWriter too: TIME stdout|stderr P|F TEXT. An E instead of P
/// or F is ours. What older versions wrote of VMs is TIME TEXT.</summary>
internal readonly ref struct LogRecord
{
    // 2026-11-28T17:04:45.123456789+00:00
    private const int LongestStamp = 40;
    private const int HeadLength = 9;

    public DateTimeOffset Time { get; private init; }

    public bool Stderr { get; private init; }

    public LogPiece Piece { get; private init; }

    public ReadOnlySpan<byte> Text { get; private init; }

    /// <param name="line">Without its end.</param>
    /// <returns>False: a crash, or somebody else, left something that is none.</returns>
    public static bool TryParse(ReadOnlySpan<byte> line, out LogRecord record)
    {
        record = default;
        var space = line.IndexOf((byte)' ');
        if (space is <= 0 or > LongestStamp)
            return false;
        Span<char> stamp = stackalloc char[LongestStamp];
        var length = Encoding.Latin1.GetChars(line[..space], stamp);
        if (!DateTimeOffset.TryParse(stamp[..length], CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind, out var time))
            return false;
        var rest = line[(space + 1)..];
        var stderr = rest.StartsWith("stderr "u8);
        var isTold = rest.Length >= HeadLength && (stderr || rest.StartsWith("stdout "u8)) && rest[HeadLength - 1] == ' ';
        record = (isTold ? PieceOf(rest[HeadLength - 2]) : null) is { } piece
            ? new LogRecord { Time = time, Stderr = stderr, Piece = piece, Text = rest[HeadLength..] }
            : new LogRecord { Time = time, Piece = LogPiece.Last, Text = rest };
        return true;
    }

    /// <summary>What goes before the text, which a line feed ends.</summary>
    public static byte[] Head(DateTimeOffset time, LogPiece piece) =>
        Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{time:O} stdout {Letter(piece)} "));

    private static LogPiece? PieceOf(byte letter) => letter switch
    {
        (byte)'P' => LogPiece.Part,
        (byte)'F' => LogPiece.Last,
        (byte)'E' => LogPiece.Ended,
        _ => null,
    };

    private static char Letter(LogPiece piece) => piece switch
    {
        LogPiece.Part => 'P',
        LogPiece.Last => 'F',
        LogPiece.Ended => 'E',
    };
}
