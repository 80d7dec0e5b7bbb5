using System.Text;
using System.Text.Json;

namespace Mcp.Daemon.Identity;

/// <summary>Who did what, with which result and how long it took: one JSON object a line, 0600, 10 MiB and one older file. Never a
/// request's content.</summary>
public sealed class AuditLog(string file, TimeProvider time) : IDisposable
{
    private const long MaxBytes = 10 * 1024 * 1024;
    private readonly Lock _lock = new();
    private FileStream? _open;

    public void Write(string who, string method, string target, string result, TimeSpan duration)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("time", time.GetUtcNow());
            json.WriteString("who", who);
            json.WriteString("what", method);
            json.WriteString("target", target);
            json.WriteString("result", result);
            json.WriteNumber("ms", Math.Round(duration.TotalMilliseconds, 1));
            json.WriteEndObject();
        }

        buffer.WriteByte((byte)'\n');
        lock (_lock)
        {
            try
            {
                Open().Write(buffer.GetBuffer().AsSpan(0, (int)buffer.Length));
            }
            catch (IOException e)
            {
                _open?.Dispose();
                _open = null;
                // A full disk must not take the control plane down with it; the line goes to the log instead.
                Console.Error.WriteLine(
                    $"audit log {file}: {e.Message}: {Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length)}");
            }
        }
    }

    public void Dispose() => _open?.Dispose();

    // Unbuffered: a line is in the file when the call is answered.
    private FileStream Open()
    {
        if (_open is { Position: > MaxBytes })
        {
            _open.Dispose();
            File.Move(file, file + ".1", overwrite: true);
            _open = null;
        }

        return _open ??= new FileStream(file, new FileStreamOptions
        {
            Mode = FileMode.Append,
            Access = FileAccess.Write,
            BufferSize = 0,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
    }
}
