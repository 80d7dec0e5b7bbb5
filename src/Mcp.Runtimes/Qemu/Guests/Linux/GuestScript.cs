using System.Formats.Tar;
using System.Globalization;
using System.Text;
using Mcp.Model.Definition;
using Mcp.Model.Instances;
using Mcp.Runtimes.Images;
using Mcp.Runtimes.Qemu.Network;

namespace Mcp.Runtimes.Qemu.Guests.Linux;

/// <summary>What one instance is, for init.sh: a tar with three files of shell text, every value quoted. It runs inside the guest
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
            Put(tar, "guest", Settings(image, spec, network, user));
            Put(tar, "run", $"set -- {Words(image.Command(spec.Component.Cmd))}\n{Run(image, spec, user)}");
            Put(tar, "exec", Run(image, spec, user));
        }

        // A disk has whole sectors.
        output.SetLength((output.Length + SectorBytes - 1) / SectorBytes * SectorBytes);
    }

    /// <summary>A word of the shell, whatever it holds.</summary>
    public static string Quote(string text) => $"'{text.Replace("'", "'\\''", StringComparison.Ordinal)}'";

    /// <summary>Runs an argument list in the guest as its component's program runs.</summary>
    public static string Exec(IReadOnlyList<string> command) =>
        $"echo 0 > /proc/self/oom_score_adj\nexec /bin/busybox chroot /root /.mcp/busybox sh /.mcp/exec {Words(command)}\n";

    private static string Words(IEnumerable<string> words) => string.Join(' ', words.Select(Quote));

    private static string Settings(StoredImage image, InstanceSpec spec, GuestNetwork network, GuestUser user) => $"""
        HOSTNAME={Quote(spec.Name.Component.Text)}
        ADDRESS={Quote($"{network.Address}/{network.PrefixLength}")}
        GATEWAY={Quote($"{network.Gateway}")}
        NAMESERVER={Quote($"{network.NameServer}")}
        ADD_USER={Quote(user.Known || user.Uid == 0 ? "" : $"user{user.Uid}:x:{user.Uid}:{user.Gid}::{user.Home}:/sbin/nologin")}
        STOP_SIGNAL={StopSignal(image, spec.Component)}
        VOLUMES={Quote(string.Join('\n', Volumes(image, spec.Mounts)))}
        IFS='
        '

        """;

    /// <summary>The number of what asks the program to end: what the component says, or else its image.</summary>
    internal static int StopSignal(StoredImage image, ComponentDefinition component)
    {
        const int term = (int)Model.Definition.StopSignal.Term;
        if (component.StopSignal is { } asked)
            return (int)asked;
        var said = image.StopSignal.ToUpperInvariant();
        if (int.TryParse(said, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            return number is > 0 and <= 64 ? number : term;
        return Spellings.Signals.TryGetValue(said.StartsWith("SIG", StringComparison.Ordinal) ? said : $"SIG{said}", out var signal)
            ? (int)signal
            : term;
    }

    // Links of the image lead to places in it; init would follow them before it is there. What lies below another one is mounted after it.
    private static IEnumerable<string> Volumes(StoredImage image, IReadOnlyList<VolumeMount> mounts) => mounts
        .Select((v, i) => (Volume: v, Number: i, Inside: RootedPath.Resolve(image.Root, v.Target, followLast: true)[image.Root.Length..]))
        .OrderBy(m => VolumePaths.Normal(m.Inside), StringComparer.Ordinal)
        .Select(m => string.Create(
            CultureInfo.InvariantCulture,
            $"volume{m.Number}:{(m.Volume.ReadOnly ? "ro" : "rw")}:/{m.Inside.TrimStart('/')}"));

    // Becomes the program that its arguments name, as the instance's own program runs. busybox is made to prefer its own programs to
    // those of the image, and its start-stop-daemon tells nobody what is missing: so the program is looked for here.
    private static string Run(StoredImage image, InstanceSpec spec, GuestUser user)
    {
        var environment = new Dictionary<string, string>(image.Environment(spec.Env));
        environment.TryAdd("HOME", user.Home);
        environment.TryAdd("HOSTNAME", spec.Name.Component.Text);
        // busybox has no other program that takes a user by number; -p a file that is not there, or it looks for one that runs already.
        var become = user is { Uid: 0, Gid: 0 }
            ? "\"$program\""
            : $"/.mcp/busybox start-stop-daemon -S -c {user.Uid}:{user.Gid} -p /.mcp/none -x \"$program\" --";
        return $$"""
            cd {{Quote(image.WorkingDir)}} || exit 126
            path={{Quote(environment["PATH"])}}
            case $1 in
            */*) program=$1 ;;
            *)
              program=''
              set -f
              IFS=:
              for directory in $path; do
                [ ! -f "$directory/$1" ] || [ ! -x "$directory/$1" ] || { program=$directory/$1; break; }
              done
              ;;
            esac
            [ -e "$program" ] || { echo "$1: not found" >&2; exit 127; }
            [ -f "$program" ] && [ -x "$program" ] || { echo "$1: cannot be run" >&2; exit 126; }
            shift
            exec /.mcp/busybox env -i {{Words(environment.Select(v => $"{v.Key}={v.Value}"))}} {{become}} "$@"

            """;
    }

    private static void Put(TarWriter tar, string name, string text) =>
        tar.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, name)
        {
            Mode = UnixFileMode.UserRead,
            DataStream = new MemoryStream(Encoding.UTF8.GetBytes(text)),
        });
}
