using Mcp.Machine;

namespace Mcp.Runtimes.Qemu.Guests.Linux;

/// <summary>A file that VMs link to: made once, whole or not at all. Versions before it go, and live on in the VMs that have
/// them.</summary>
internal static class SharedFile
{
    private const string Half = "half-";

    /// <summary>Removes what a kill has left half made. When the program starts.</summary>
    public static void Sweep(string directory)
    {
        if (!Directory.Exists(directory))
            return;
        foreach (var half in Directory.EnumerateFiles(directory, $"{Half}*"))
            File.Delete(half);
    }

    public static string Make(string directory, string kind, string version, Action<string> write)
    {
        var file = Path.Combine(directory, $"{kind}-{version}");
        if (File.Exists(file))
            return file;
        Directory.CreateDirectory(directory);
        var half = Path.Combine(directory, $"{Half}{Guid.NewGuid():N}");
        try
        {
            write(half);
        }
        catch
        {
            File.Delete(half);
            throw;
        }

        File.SetUnixFileMode(half, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead);
        var before = Directory.GetFiles(directory, $"{kind}-*");
        WholeFile.Place(half, file);
        foreach (var old in before.Where(f => f != file))
            File.Delete(old);
        return file;
    }
}
