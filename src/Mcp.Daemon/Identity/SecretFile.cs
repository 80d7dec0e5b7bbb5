namespace Mcp.Daemon.Identity;

/// <summary>A new file that only its owner may read (0600); an existing one is never overwritten.</summary>
public static class SecretFile
{
    public static void Write(string file, string text)
    {
        using var stream = new FileStream(file, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite });
        using var writer = new StreamWriter(stream);
        writer.Write(text);
    }
}
