using System.Text;

namespace Mcp.Runtimes;

/// <summary>Files that are there whole or not at all, whenever the process is killed.</summary>
internal static class Atomically
{
    public static void Write(string file, string text)
    {
        var half = $"{file}.{Guid.NewGuid():N}";
        try
        {
            using (var stream = new FileStream(half, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite }))
            {
                stream.Write(Encoding.UTF8.GetBytes(text));
                stream.Flush(flushToDisk: true);
            }

            File.Move(half, file, overwrite: true);
        }
        catch (IOException)
        {
            File.Delete(half);
            throw;
        }
    }
}
