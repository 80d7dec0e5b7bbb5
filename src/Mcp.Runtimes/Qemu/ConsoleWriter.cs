using System.Globalization;
using System.Text;

namespace Mcp.Runtimes.Qemu;

/// <summary>Bytes of a serial line to the files that ConsoleLog reads, stamped and capped.</summary>
internal sealed class ConsoleWriter : IDisposable
{
    // A line without end is cut into pieces.
    private const int MaxLine = 16 * 1024;
    private readonly string _directory;
    private readonly VmRecord _vm;
    private readonly TimeProvider _time;
    private readonly List<byte> _line = [];
    private FileStream _file;
    private int _number;

    public ConsoleWriter(string directory, VmRecord vm, TimeProvider time)
    {
        (_directory, _vm, _time) = (directory, vm, time);
        _number = ConsoleLog.Numbers(directory).LastOrDefault(1);
        _file = Open();
    }

    public void Write(ReadOnlySpan<byte> bytes)
    {
        foreach (var b in bytes)
        {
            if (b == '\n' || _line.Count == MaxLine)
                End();
            if (b is not ((byte)'\n' or (byte)'\r'))
                _line.Add(b);
        }

        _file.Flush();
    }

    /// <summary>What a dying guest said last may have no end of line.</summary>
    public void Dispose()
    {
        if (_line.Count > 0)
            End();
        _file.Dispose();
    }

    private void End()
    {
        var text = Encoding.UTF8.GetString([.. _line]);
        _line.Clear();
        if (_file.Length >= _vm.ConsoleBytes)
            Next();
        _file.Write(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{_time.GetUtcNow():O} {text}\n")));
    }

    private void Next()
    {
        _file.Dispose();
        _number++;
        _file = Open();
        foreach (var old in ConsoleLog.Numbers(_directory).Where(n => n <= _number - _vm.ConsoleFiles))
            File.Delete(ConsoleLog.File(_directory, old));
    }

    private FileStream Open() =>
        new(ConsoleLog.File(_directory, _number), new FileStreamOptions
        {
            Mode = FileMode.Append,
            Access = FileAccess.Write,
            Share = FileShare.ReadWrite | FileShare.Delete,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
}
