using System.Globalization;
using Mcp.Model.Errors;
using Mcp.Runtimes.Images;

namespace Mcp.Runtimes.Qemu.Guests.Linux;

/// <summary>The image's USER as numbers, looked up in its own /etc/passwd and /etc/group.</summary>
/// <param name="Known">Has an entry in the image's /etc/passwd.</param>
internal sealed record GuestUser(int Uid, int Gid, string Home, bool Known)
{
    private const long MaxTableBytes = 1024 * 1024;

    /// <exception cref="McpException">image.user</exception>
    public static GuestUser Of(StoredImage image)
    {
        var parts = image.User.Split(':', 2);
        var users = Table(image, "/etc/passwd");
        var wanted = parts[0].Length == 0 ? "0" : parts[0];
        var user = users.FirstOrDefault(u => u.Length > 5 && (u[0] == wanted || u[2] == wanted));
        var uid = Number(user?[2] ?? wanted)
            ?? throw new McpException(
                ErrorCode.ImageUser,
                $"the image's user '{wanted}' is not in its /etc/passwd",
                "correct USER in the image");
        var group = parts.Length < 2
            ? user?[3] ?? "0"
            : Table(image, "/etc/group").FirstOrDefault(g => g.Length > 2 && g[0] == parts[1])?[2] ?? parts[1];
        var gid = Number(group)
            ?? throw new McpException(
                ErrorCode.ImageUser,
                $"the image's group '{group}' is not in its /etc/group",
                "correct USER in the image");
        return new GuestUser(uid, gid, user?[5] ?? (uid == 0 ? "/root" : "/"), user is not null);
    }

    private static List<string[]> Table(StoredImage image, string file)
    {
        var path = RootedPath.Resolve(image.Root, file, followLast: true);
        if (File.Exists(path) && new FileInfo(path).Length > MaxTableBytes)
        {
            throw new McpException(
                ErrorCode.ImageUser,
                $"the image's {file} is larger than {MaxTableBytes / 1024} KiB",
                "name the user by numbers, and make that file smaller");
        }

        return File.Exists(path) ? [.. File.ReadLines(path).Select(l => l.Split(':'))] : [];
    }

    private static int? Number(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;
}
