using System.Formats.Tar;
using System.Security.Cryptography;
using System.Text;
using Mcp.Machine;
using Mcp.Model.Errors;

namespace Mcp.Runtimes.Images;

/// <summary>Unpacks one layer over those below it. https://github.com/opencontainers/image-spec/blob/main/layer.md</summary>
/// <param name="root">The tree. It is this process's alone.</param>
/// <param name="allowance">Shared by all layers of an image; null: one of its own, with the usual limits.</param>
internal sealed class Layer(string root, Allowance? allowance = null)
{
    private const string Whiteout = ".wh.";
    private const string Opaque = ".wh..wh..opq";
    private const string Sparse = "GNU.sparse.";
    private const string Capability = "security.capability";
    private const string CapabilityKey = $"SCHILY.xattr.{Capability}";
    // Less than the 4096 of Linux: copies of the tree lie a little deeper.
    private const int MaxPathBytes = 4000;
    private const int HashBytes = 16;
    private readonly bool _owners = Posix.IsRoot;
    private readonly Allowance _allowance = allowance ?? new Allowance(ImageLimits.Default, new DiskRoom(root));
    // Hashes of paths: the paths of a million files may be 4 GB.
    private readonly HashSet<UInt128> _own = [];
    private readonly HashSet<UInt128> _opaque = [];

    /// <exception cref="McpException">image.pull, image.too_large, disk.full</exception>
    public async Task UnpackAsync(Stream tar, CancellationToken ct)
    {
        await using var bounds = new TarBounds(tar, _allowance);
        await using var reader = new TarReader(bounds, leaveOpen: true);
        try
        {
            while (await NextAsync(reader, bounds, ct) is { } entry)
            {
                await PutAsync(entry, ct);
                // The reader would take what is left for headers.
                if (entry.DataStream is { } left)
                    await left.CopyToAsync(Stream.Null, ct);
            }
        }
        catch (Exception e) when (e is not (McpException or OperationCanceledException or OutOfMemoryException))
        {
            // Readers of archives and of packed data throw all kinds of things at damaged ones.
            var why = e is (IOException or UnauthorizedAccessException) and not EndOfStreamException
                ? OciReader.Plain(e.Message)
                : "it is damaged";
            throw DiskRoom.Of(e, root) ?? OciReader.Wrong($"a layer cannot be unpacked: {why}", e);
        }
    }

    private async Task<TarEntry?> NextAsync(TarReader reader, TarBounds bounds, CancellationToken ct)
    {
        bounds.Headers();
        var entry = await reader.GetNextEntryAsync(copyData: false, ct);
        bounds.Content();
        _allowance.Entries(1);
        return entry;
    }

    private async Task PutAsync(TarEntry entry, CancellationToken ct)
    {
        if (entry.EntryType is TarEntryType.GlobalExtendedAttributes)
            return;
        if (entry is PaxTarEntry { ExtendedAttributes: var attributes }
            && attributes.Keys.Any(k => k.StartsWith(Sparse, StringComparison.Ordinal)))
        {
            throw OciReader.Wrong("a layer has a sparse file, which is not supported: pack the image with another program");
        }

        if (entry.Name.Contains('\0', StringComparison.Ordinal) || entry.LinkName.Contains('\0', StringComparison.Ordinal))
            throw OciReader.Wrong("a layer has a file with a NUL in its name");
        var path = RootedPath.Resolve(root, entry.Name, followLast: false);
        if (path == root)
        {
            // Its own directory, which is there; whatever else would take the place of the tree.
            if (entry.EntryType is not TarEntryType.Directory)
                throw OciReader.Wrong($"a layer has a file in the place of the root directory: {OciReader.Shown(entry.Name)}");
            return;
        }

        if (Encoding.UTF8.GetByteCount(path) > MaxPathBytes)
            throw OciReader.Wrong($"a layer has a path of more than {MaxPathBytes} bytes");
        var (parent, name) = (Path.GetDirectoryName(path)!, Path.GetFileName(path));
        if (name.StartsWith(Whiteout, StringComparison.Ordinal))
        {
            Remove(parent, name, ct);
            return;
        }

        if (entry.EntryType is TarEntryType.HardLink && RootedPath.Resolve(root, entry.LinkName, followLast: false) == path)
            return;
        MakeParents(parent);
        if (!(entry.EntryType == TarEntryType.Directory && IsDirectory(path)))
            Delete(path);
        for (var own = path; own.Length > root.Length && _own.Add(Hash(own));)
            own = Path.GetDirectoryName(own)!;
        await MakeAsync(entry, path, ct);
    }

    private void Remove(string parent, string name, CancellationToken ct)
    {
        if (name != Opaque)
        {
            var gone = name[Whiteout.Length..];
            // ".wh.." and ".wh..." would be the directory itself and the one above.
            Delete(
                gone is "" or "." or ".."
                    ? throw OciReader.Wrong($"a layer removes {OciReader.Shown(gone)}, which is not a name")
                    : Path.Combine(parent, gone));
            return;
        }

        // Once is enough: what is there afterwards is this layer's.
        if (!_opaque.Add(Hash(parent)) || !IsDirectory(parent))
            return;
        foreach (var below in Directory.EnumerateFileSystemEntries(parent).Where(p => !_own.Contains(Hash(p))).ToList())
        {
            ct.ThrowIfCancellationRequested();
            Delete(below);
        }
    }

    private void MakeParents(string parent)
    {
        var missing = 0;
        for (var at = parent; at.Length > root.Length && !Directory.Exists(at); missing++)
            at = Path.GetDirectoryName(at)!;
        if (missing == 0)
            return;
        _allowance.Entries(missing);
        Directory.CreateDirectory(parent);
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
                var target = RootedPath.Resolve(root, entry.LinkName, followLast: false);
                // Whoever copies the tree may make it a file of its own.
                _allowance.Bytes(new FileInfo(target) is { Exists: true, LinkTarget: null } linked ? linked.Length : 0);
                Posix.Link(target, path);
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
        if (_owners
            && entry is PaxTarEntry { ExtendedAttributes: var attributes }
            && attributes.TryGetValue(CapabilityKey, out var capability))
        {
            Posix.SetAttribute(path, Capability, Encoding.UTF8.GetBytes(capability));
        }
    }

    private static UInt128 Hash(string path)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(path), hash);
        return System.Buffers.Binary.BinaryPrimitives.ReadUInt128LittleEndian(hash[..HashBytes]);
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
