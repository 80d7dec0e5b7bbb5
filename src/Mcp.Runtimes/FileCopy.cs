using System.Globalization;
using Mcp.Model.Errors;
using Mcp.Runtimes.Images;

namespace Mcp.Runtimes;

/// <summary>Whole directories, with owners, modes, links and extended attributes.</summary>
public static class FileCopy
{
    /// <summary>Of one copy: there may be a database to copy.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromHours(1);

    private static readonly TimeSpan s_counting = TimeSpan.FromMinutes(5);

    /// <param name="from">A directory.</param>
    /// <param name="to">Made here, and on the disk when this returns.</param>
    /// <exception cref="McpException">volume.fill; disk.full: nothing was begun.</exception>
    public static async Task DirectoryAsync(string from, string to, CancellationToken ct)
    {
        await CheckRoomAsync(from, to, ct);
        await RunAsync("cp", ["--archive", "--no-target-directory", "--reflink=auto", "--", from, to], ct);
        await RunAsync("sync", ["--file-system", "--", to], ct);
    }

    // The last of a disk is the node's, as with images.
    private static async Task CheckRoomAsync(string from, string to, CancellationToken ct)
    {
        string[] count = ["--summarize", "--block-size=1", "--", from];
        var (code, said) = await Programs.RunAsync(Programs.Start("du", count), s_counting, ct);
        if (code == 0 && long.TryParse(said.Split('\n')[^1].Split('\t')[0], NumberStyles.None, CultureInfo.InvariantCulture, out var bytes))
            new DiskRoom(Path.GetDirectoryName(to)!).Need(bytes);
    }

    private static async Task RunAsync(string program, IReadOnlyList<string> arguments, CancellationToken ct)
    {
        var (code, said) = await Programs.RunAsync(Programs.Start(program, arguments), Limit, ct);
        if (code != 0)
        {
            throw new McpException(
                ErrorCode.VolumeFill,
                $"a volume cannot be filled: {said}",
                "is the node's disk full? mcp node show says");
        }
    }
}
