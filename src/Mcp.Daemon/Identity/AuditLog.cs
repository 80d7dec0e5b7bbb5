using System.Text;
using System.Text.Json;

namespace Mcp.Daemon.Identity;

/// <summary>Who did what, with which result and how long it took: one JSON object a line, 0600, 10 MiB and one older file. Never a request's content.</summary>
public sealed class AuditLog(string file, TimeProvider time)
{
    private const long MaxBytes = 10 * 1024 * 1024;
    private readonly Lock _lock = new();

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

        lock (_lock)
        {
            try
            {
                if (File.Exists(file) && new FileInfo(file).Length > MaxBytes)
                    File.Move(file, file + ".1", overwrite: true);
                using var stream = new FileStream(file, new FileStreamOptions { Mode = FileMode.Append, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite });
                stream.Write(buffer.GetBuffer().AsSpan(0, (int)buffer.Length));
                stream.Write("\n"u8);
            }
            catch (IOException e)
            {
                // A full disk must not take the control plane down with it; the line goes to the log instead.
                Console.Error.WriteLine($"audit log {file}: {e.Message}: {Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length)}");
            }
        }
    }
}
