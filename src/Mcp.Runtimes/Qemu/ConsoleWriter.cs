using Mcp.Runtimes.Logs;

namespace Mcp.Runtimes.Qemu;

/// <summary>Bytes of a serial line to the files of a log, stamped and capped.</summary>
internal sealed class ConsoleWriter : IDisposable
{
    // Of a line that goes on in the next record.
    private const int LongestRecord = 16 * 1024;
    private readonly LogFiles _files;
    private readonly VmRecord _vm;
    private readonly TimeProvider _time;
    private readonly List<byte> _line = [];
    private FileStream _file;
    private int _number;

    public ConsoleWriter(string directory, VmRecord vm, TimeProvider time)
    {
        (_files, _vm, _time) = (new LogFiles(directory), vm, time);
        _files.Create();
        _number = Math.Max(1, _files.Newest());
        _file = Open(_number);
        LogFiles.End(_file, time.GetUtcNow());
    }

    public void Write(ReadOnlySpan<byte> bytes)
    {
        foreach (var b in bytes)
        {
            if (b == '\n')
                EndLine();
            else
                _line.Add(b);
            if (_line.Count >= LongestRecord)
                Put(LogPiece.Part);
        }

        _file.Flush();
    }

    /// <summary>What a dying guest said last may have no end of line.</summary>
    public void Dispose()
    {
        if (_line.Count > 0)
            EndLine();
        _file.Dispose();
    }

    // A terminal ends a line with CR LF.
    private void EndLine()
    {
        while (_line is [.., (byte)'\r'])
            _line.RemoveAt(_line.Count - 1);
        Put(LogPiece.Last);
    }

    private void Put(LogPiece piece)
    {
        try
        {
            if (_file.Length >= _vm.ConsoleBytes)
                Next();
            _file.Write([.. LogRecord.Head(_time.GetUtcNow(), piece), .. _line, (byte)'\n']);
        }
        finally
        {
            // What cannot be written is lost, and the next is tried again.
            _line.Clear();
        }
    }

    private void Next()
    {
        // It may be that no file can be made: this one goes on then.
        _files.Create();
        var next = Open(_number + 1);
        try
        {
            _file.Dispose();
        }
        finally
        {
            (_file, _number) = (next, _number + 1);
        }

        _files.Prune(_number, _vm.ConsoleFiles);
    }

    private FileStream Open(int number) =>
        new(_files.File(number), new FileStreamOptions
        {
            Mode = FileMode.OpenOrCreate,
            Access = FileAccess.ReadWrite,
            Share = FileShare.ReadWrite | FileShare.Delete,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
}
