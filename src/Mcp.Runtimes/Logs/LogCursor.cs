using Microsoft.Win32.SafeHandles;

namespace Mcp.Runtimes.Logs;

/// <summary>A place in a log, read on from there. Keeps open the files that are there when it is made, and the one that it reads, so
/// what is removed meanwhile is read to its end.</summary>
internal sealed class LogCursor : IDisposable
{
    private const string Gap = "mcp: lines are missing here: they were written faster than they were read";
    private readonly LogFiles _files;
    private readonly SortedDictionary<int, SafeFileHandle> _held = [];
    private readonly int _first;

    // Longer than any record.
    private readonly byte[] _buffer = new byte[256 * 1024];
    private LogLines _lines = new();
    private int _number;
    private long _offset;

    // Nothing behind it is read. Null: all is.
    private (int Number, long Length)? _end;

    // It will begin again, so no file is let go.
    private bool _keeps;

    // Of a file whose predecessor is gone: the first line may have begun there. No more is known than the stream of the first record, so
    // of that one the rest of a line is taken to be none; the other stream's lines are whole, or were cut and are shown.
    private bool _isCut;
    private bool? _cutStderr;
    private bool _isGap;

    /// <summary>A line has begun, and not ended.</summary>
    public bool IsWithin => _lines.IsWithin;

    /// <summary>Begins with the oldest that is there.</summary>
    /// <param name="rewinds">Whether <see cref="Rewind"/> is called later.</param>
    public LogCursor(LogFiles files, bool rewinds = false)
    {
        (_files, _keeps) = (files, rewinds);
        foreach (var number in files.Numbers())
            FileOf(number);
        _first = _held.Keys.FirstOrDefault(1);
        Begin();
    }

    /// <summary>Reads on.</summary>
    /// <returns>Some lines, or none; null: that was all for now.</returns>
    public List<LogLine>? Read()
    {
        while (true)
        {
            // Before the reading: what has a successor then is written to no more.
            var next = Next();
            if (ReadFile() is { } lines)
                return lines;
            if (next == 0 || next > _end?.Number)
                return null;
            var ended = GoOn(next);
            if (ended.Count > 0)
                return ended;
        }
    }

    /// <summary>What has no end yet, as lines.</summary>
    public List<LogLine> End()
    {
        var lines = new List<LogLine>();
        _lines.End(lines);
        return lines;
    }

    /// <summary>What is written from now on is not read. Safe to repeat: the first counts.</summary>
    public void Bound()
    {
        if (_end is not null)
            return;
        var newest = Math.Max(_files.Newest(), _held.Keys.LastOrDefault(_number));
        _end = (newest, FileOf(newest) is { } file ? RandomAccess.GetLength(file) : 0);
    }

    public void Unbound() => _end = null;

    /// <summary>Begins again with the oldest of when it was made, once.</summary>
    public void Rewind()
    {
        Begin();
        _keeps = false;
    }

    public void Dispose()
    {
        foreach (var file in _held.Values)
            file.Dispose();
    }

    private void Begin()
    {
        (_lines, _number, _offset) = (new LogLines(), _first, 0);
        (_isCut, _cutStderr, _isGap) = (_first > 1, null, false);
    }

    // 0: there is none.
    private int Next() => _held.Keys.Concat(_files.Numbers()).Where(n => n > _number).DefaultIfEmpty().Min();

    // What the gap has cut.
    private List<LogLine> GoOn(int next)
    {
        var isGap = next > _number + 1 || !_held.ContainsKey(_number);
        if (!_keeps && _held.Remove(_number, out var done))
            done.Dispose();
        (_number, _offset) = (next, 0);
        if (!isGap)
            return [];
        (_isCut, _cutStderr, _isGap) = (true, null, true);
        return End();
    }

    // Null: there is no whole record that was not read.
    private List<LogLine>? ReadFile()
    {
        var most = _end?.Number == _number ? (int)Math.Clamp(_end.Value.Length - _offset, 0, _buffer.Length) : _buffer.Length;
        var length = FileOf(_number) is { } file ? RandomAccess.Read(file, _buffer.AsSpan(0, most), _offset) : 0;
        var bytes = _buffer.AsSpan(0, length);
        var whole = bytes.LastIndexOf((byte)'\n') + 1;
        // No record is so long: somebody else's bytes.
        if (whole == 0 && length == _buffer.Length)
            whole = length;
        if (whole == 0)
            return null;
        var lines = new List<LogLine>();
        for (var rest = bytes[..whole]; rest.Length > 0;)
        {
            var end = rest.IndexOf((byte)'\n');
            var taken = end < 0 ? rest.Length : end + 1;
            _offset += taken;
            if (LogRecord.TryParse(rest[..(end < 0 ? rest.Length : end)], out var record))
                Add(record, lines);
            rest = rest[taken..];
        }

        return lines;
    }

    private void Add(in LogRecord record, List<LogLine> lines)
    {
        if (_isGap)
            lines.Add(new LogLine(record.Time, true, Gap) { IsNotice = true });
        _isGap = false;
        _cutStderr ??= record.Stderr;
        if (_isCut && record.Piece == LogPiece.Ended)
            _isCut = false;
        if (!_isCut || record.Stderr != _cutStderr)
            _lines.Add(record, lines);
        else if (record.Piece == LogPiece.Last)
            _isCut = false;
    }

    // Null: it is gone, or not there yet.
    private SafeFileHandle? FileOf(int number)
    {
        if (_held.TryGetValue(number, out var held))
            return held;
        try
        {
            var file = File.OpenHandle(_files.File(number), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            _held.Add(number, file);
            return file;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }
}
