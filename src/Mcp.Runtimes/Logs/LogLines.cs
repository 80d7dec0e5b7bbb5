using System.Buffers;
using System.Text;

namespace Mcp.Runtimes.Logs;

/// <summary>Records to the program's lines. Bytes are joined before they become text, so a character that was cut in two is whole.
/// </summary>
internal sealed class LogLines
{
    /// <summary>Bytes of a line; a longer one comes in pieces, each but the last with <see cref="LogLine.Continues"/>.</summary>
    public const int Longest = 1024 * 1024;
    private readonly OneStream _out = new(stderr: false);
    private readonly OneStream _err = new(stderr: true);

    public bool IsWithin => _out.IsWithin || _err.IsWithin;

    /// <param name="lines">Gets what is whole with it.</param>
    public void Add(in LogRecord record, List<LogLine> lines)
    {
        if (record.Piece == LogPiece.Ended)
            End(lines);
        else
            (record.Stderr ? _err : _out).Add(record, lines);
    }

    /// <summary>No more comes: what has no end is a line all the same.</summary>
    public void End(List<LogLine> lines)
    {
        _out.End(lines);
        _err.End(lines);
    }

    private sealed class OneStream(bool stderr)
    {
        private const int LongestCharacter = 4;
        private readonly ArrayBufferWriter<byte> _bytes = new();
        private DateTimeOffset _time;
        private bool _isBegun;

        public bool IsWithin => _isBegun;

        public void Add(in LogRecord record, List<LogLine> lines)
        {
            if (!_isBegun)
                (_time, _isBegun) = (record.Time, true);
            _bytes.Write(record.Text);
            while (_bytes.WrittenCount > Longest)
                Cut(lines);
            if (record.Piece == LogPiece.Last)
                End(lines);
        }

        public void End(List<LogLine> lines)
        {
            if (!_isBegun)
                return;
            lines.Add(Line(Held, continues: false));
            _isBegun = false;
            _bytes.ResetWrittenCount();
        }

        private void Cut(List<LogLine> lines)
        {
            var end = Longest;
            // Not within a character: its later bytes are 10xxxxxx.
            while (end > Longest - LongestCharacter && (Held[end] & 0xC0) == 0x80)
                end--;
            lines.Add(Line(Held[..end], continues: true));
            var rest = Held[end..].ToArray();
            _bytes.ResetWrittenCount();
            _bytes.Write(rest);
        }

        private ReadOnlySpan<byte> Held => _bytes.WrittenSpan;

        private LogLine Line(ReadOnlySpan<byte> bytes, bool continues) =>
            new(_time, stderr, Encoding.UTF8.GetString(bytes)) { Continues = continues };
    }
}
