using System.Formats.Tar;
using System.Text;

namespace Mcp.Runtimes.Images;

/// <summary>Unpacks one layer over those below it. https://github.com/opencontainers/image-spec/blob/main/layer.md</summary>
internal sealed class Layer(string root)
{
    private const string Whiteout = ".wh.";
    private const string Opaque = ".wh..wh..opq";
    private const string Capability = "security.capability";
    private const string CapabilityKey = $"SCHILY.xattr.{Capability}";
    private readonly bool _owners = Posix.IsRoot;
    private readonly HashSet<string> _own = [];

    public async Task UnpackAsync(Stream tar, CancellationToken ct)
    {
        await using var reader = new TarReader(tar);
        while (await reader.GetNextEntryAsync(copyData: false, ct) is { } entry)
            await PutAsync(entry, ct);
    }

    private async Task PutAsync(TarEntry entry, CancellationToken ct)
    {
        if (entry.EntryType is TarEntryType.GlobalExtendedAttributes || entry.Name.Trim('/', '.') is "")
            return;
        var path = RootedPath.Resolve(root, entry.Name, followLast: false);
        var (parent, name) = (Path.GetDirectoryName(path)!, Path.GetFileName(path));
        if (name == Opaque)
        {
            if (Directory.Exists(parent))
                foreach (var below in Directory.EnumerateFileSystemEntries(parent).Where(p => !_own.Contains(p)).ToList())
                    Delete(below);
            return;
        }

        if (name.StartsWith(Whiteout, StringComparison.Ordinal))
        {
            Delete(Path.Combine(parent, name[Whiteout.Length..]));
            return;
        }

        Directory.CreateDirectory(parent);
        if (!(entry.EntryType == TarEntryType.Directory && IsDirectory(path)))
            Delete(path);
        for (var own = path; own.Length > root.Length && _own.Add(own);)
            own = Path.GetDirectoryName(own)!;
        await MakeAsync(entry, path, ct);
    }

    private async Task MakeAsync(TarEntry entry, string path, CancellationToken ct)
    {
        switch (entry.EntryType)
        {
            case TarEntryType.Directory:
                Directory.CreateDirectory(path);
                break;
            case TarEntryType.RegularFile or TarEntryType.V7RegularFile or TarEntryType.ContiguousFile:
                await using (var file = new FileStream(path, FileMode.CreateNew))
                {
                    if (entry.DataStream is { } data)
                        await data.CopyToAsync(file, ct);
                }

                File.SetLastWriteTimeUtc(path, entry.ModificationTime.UtcDateTime);
                break;
            case TarEntryType.SymbolicLink:
                File.CreateSymbolicLink(path, entry.LinkName);
                break;
            case TarEntryType.HardLink:
                Posix.Link(RootedPath.Resolve(root, entry.LinkName, followLast: false), path);
                return;
            default:
                // Devices and pipes: the guest has its own /dev.
                return;
        }

        // The owner first: changing it takes the set-user bits away.
        if (_owners)
            Posix.Owner(path, entry.Uid, entry.Gid);
        if (entry.EntryType != TarEntryType.SymbolicLink)
            File.SetUnixFileMode(path, entry.Mode);
        // What a file may do without being root's, such as bind to port 80; the disk made of the tree carries it on.
        if (_owners && entry is PaxTarEntry { ExtendedAttributes: var attributes } && attributes.TryGetValue(CapabilityKey, out var capability))
            Posix.SetAttribute(path, Capability, Encoding.UTF8.GetBytes(capability));
    }

    private static bool IsDirectory(string path) => new DirectoryInfo(path) is { Exists: true, LinkTarget: null };

    private static void Delete(string path)
    {
        if (IsDirectory(path))
            Directory.Delete(path, recursive: true);
        else if (File.Exists(path) || new FileInfo(path).LinkTarget is not null)
            File.Delete(path);
    }
}
