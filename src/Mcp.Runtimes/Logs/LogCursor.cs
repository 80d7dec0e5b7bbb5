using Microsoft.Win32.SafeHandles;

namespace Mcp.Runtimes.Logs;

/// <summary>A place in a log, read on from there. Keeps the file open that it reads, so what is removed meanwhile is read to its end.
/// </summary>
internal sealed class LogCursor : IDisposable
{
    private const string Gap = "mcp: lines are missing here: they were written faster than they were read";
    private readonly LogFiles _files;
    private readonly LogLines _lines = new();

    // Longer than any record.
    private readonly byte[] _buffer = new byte[256 * 1024];
    private SafeFileHandle? _file;
    private int _number;
    private long _offset;

    // Of a file whose predecessor is gone: the first line may have begun there.
    private bool _isCut;

    /// <summary>Begins with the oldest that is there.</summary>
    public LogCursor(LogFiles files)
    {
        _files = files;
        _number = files.Numbers().FirstOrDefault(1);
        _isCut = _number > 1;
    }

    /// <summary>Reads on.</summary>
    /// <returns>Some lines, or none; null: that was all for now.</returns>
    public List<LogLine>? Read()
    {
        while (true)
        {
            // Before the reading: what has a successor then is written to no more.
            var next = _files.Numbers().FirstOrDefault(n => n > _number);
            if (ReadFile() is { } lines)
                return lines;
            if (next == 0)
                return null;
            var isGap = next > _number + 1;
            _file?.Dispose();
            (_file, _number, _offset) = (null, next, 0);
            if (isGap)
                return [new LogLine(File.GetLastWriteTimeUtc(_files.File(next)), true, Gap)];
        }
    }

    /// <summary>What has no end yet, as lines.</summary>
    public List<LogLine> End()
    {
        var lines = new List<LogLine>();
        _lines.End(lines);
        return lines;
    }

    public void Dispose() => _file?.Dispose();

    // Null: there is no whole record that was not read.
    private List<LogLine>? ReadFile()
    {
        _file ??= Open();
        var length = _file is null ? 0 : RandomAccess.Read(_file, _buffer, _offset);
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
        if (!_isCut)
            _lines.Add(record, lines);
        else if (record.Piece != LogPiece.Part)
            _isCut = false;
    }

    private SafeFileHandle? Open()
    {
        try
        {
            return File.OpenHandle(_files.File(_number), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }
}
