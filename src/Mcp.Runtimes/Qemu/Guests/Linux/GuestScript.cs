using System.Formats.Tar;
using System.Text;
using Mcp.Model.Instances;
using Mcp.Runtimes.Images;
using Mcp.Runtimes.Qemu.Network;

namespace Mcp.Runtimes.Qemu.Guests.Linux;

/// <summary>What one instance is, for init.sh: a tar with two files of shell text, every value quoted. It runs inside the guest
/// only.</summary>
internal static class GuestScript
{
    private const int SectorBytes = 512;

    public static void Write(string file, StoredImage image, InstanceSpec spec, GuestNetwork network, GuestUser user)
    {
        using var output = new FileStream(file, new FileStreamOptions
        {
            Mode = FileMode.Create,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        using (var tar = new TarWriter(output, TarEntryFormat.Ustar, leaveOpen: true))
        {
            Put(tar, "guest", Settings(spec, network, user));
            Put(tar, "run", Run(image, spec, user));
        }

        // A disk has whole sectors.
        output.SetLength((output.Length + SectorBytes - 1) / SectorBytes * SectorBytes);
    }

    /// <summary>A word of the shell, whatever it holds.</summary>
    public static string Quote(string text) => $"'{text.Replace("'", "'\\''", StringComparison.Ordinal)}'";

    private static string Settings(InstanceSpec spec, GuestNetwork network, GuestUser user) => $"""
        HOSTNAME={Quote(spec.Name.Component.Text)}
        ADDRESS={Quote($"{network.Address}/{network.PrefixLength}")}
        GATEWAY={Quote($"{network.Gateway}")}
        NAMESERVER={Quote($"{network.NameServer}")}
        ADD_USER={Quote(user.Known || user.Uid == 0 ? "" : $"user{user.Uid}:x:{user.Uid}:{user.Gid}::{user.Home}:/sbin/nologin")}
        VOLUMES={Quote(string.Join('\n', spec.Component.Volumes.Select((v, i) => $"volume{i}:{(v.ReadOnly ? "ro" : "rw")}:{v.Target}")))}
        IFS='
        '

        """;

    private static string Run(StoredImage image, InstanceSpec spec, GuestUser user)
    {
        var command = image.Command(spec.Component.Cmd);
        var environment = new Dictionary<string, string>(image.Environment(spec.Env));
        environment.TryAdd("HOME", user.Home);
        environment.TryAdd("HOSTNAME", spec.Name.Component.Text);
        var words = new List<string> { "exec", "/.mcp/busybox", "env", "-i" };
        words.AddRange(environment.Select(v => Quote($"{v.Key}={v.Value}")));
        // busybox has no other program that takes a user by number; -p a file that is not there, or it looks for one that runs already.
        words.AddRange(user is { Uid: 0, Gid: 0 } ? [] :
        [
            "/.mcp/busybox",
            "start-stop-daemon",
            "-S",
            "-c",
            $"{user.Uid}:{user.Gid}",
            "-p",
            "/.mcp/none",
            "-x",
            Quote(command[0]),
            "--"
        ]);
        words.AddRange((user is { Uid: 0, Gid: 0 } ? command : command.Skip(1)).Select(Quote));
        return $"cd {Quote(image.WorkingDir)} || exit 126\n{string.Join(' ', words)}\n";
    }

    private static void Put(TarWriter tar, string name, string text) =>
        tar.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, name)
        {
            Mode = UnixFileMode.UserRead,
            DataStream = new MemoryStream(Encoding.UTF8.GetBytes(text)),
        });
}
