using Mcp.Model.Errors;
using Mcp.Runtimes;

namespace Mcp.Agent.Volumes;

/// <summary>Removes whole directories that programs have written to: never what is mounted there, never what a link leads to.</summary>
public static class HostTrees
{
    /// <summary>Before anything is touched.</summary>
    /// <exception cref="McpException">volume.in_use: something is mounted there, or below.</exception>
    public static void CheckMounts(string path)
    {
        if (HostPaths.MountedIn(path) is [var mount, ..])
        {
            throw new McpException(
                ErrorCode.VolumeInUse,
                $"{path} is not removed: something is mounted at {mount}, and would lose its files, too",
                $"umount {mount}, then try again");
        }
    }

    /// <summary>A link itself is removed. Nothing there: nothing is done.</summary>
    /// <exception cref="McpException">volume.in_use</exception>
    public static async Task RemoveAsync(string path, CancellationToken ct)
    {
        if (!Path.Exists(path) && new FileInfo(path).LinkTarget is null)
            return;
        CheckMounts(path);
        // rm goes from open directory to open directory, as deep as they are, and looks up no path that somebody can turn elsewhere.
        var arguments = (string[])["--recursive", "--force", "--one-file-system", "--", path];
        var (code, said) = await Programs.RunAsync(Programs.Start("rm", arguments), FileCopy.Limit, ct);
        if (code != 0)
            throw new McpException(ErrorCode.VolumeInUse, $"{path} cannot be removed: {said}", "the agent tries it again by itself");
    }
}
