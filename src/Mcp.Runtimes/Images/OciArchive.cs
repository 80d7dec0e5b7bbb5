using System.Formats.Tar;
using Mcp.Model.Errors;

namespace Mcp.Runtimes.Images;

/// <summary>One image in an OCI archive that podman has made: its own headers are podman's and so are not bounded; all that is in it is
/// somebody else's. https://github.com/opencontainers/image-spec/blob/main/image-layout.md</summary>
internal sealed class OciArchive : IImageSource
{
    private const string Index = "index.json";
    private const string Blobs = "blobs/sha256/";
    private const int MostEntries = OciReader.MaxLayers * 2;
    private const int BufferBytes = 64 * 1024;
    private readonly Stream _file;
    private readonly Digest _name;
    private readonly OciReader _reader;
    private readonly Dictionary<string, (long Offset, long Bytes)> _entries = [];

    private OciArchive(Stream file, Digest name, long maxBytes) => (_file, _name, _reader) = (file, name, new OciReader(maxBytes));

    /// <param name="file">Can seek; it stays the caller's.</param>
    /// <param name="name">Under which the image is kept.</param>
    /// <exception cref="McpException">image.pull</exception>
    public static async Task<OciArchive> OpenAsync(Stream file, Digest name, long maxBytes, CancellationToken ct)
    {
        var archive = new OciArchive(file, name, maxBytes);
        file.Position = 0;
        await using var tar = new TarReader(file, leaveOpen: true);
        try
        {
            while (await tar.GetNextEntryAsync(copyData: false, ct) is { } entry)
            {
                if (archive._entries.Count >= MostEntries)
                    throw OciReader.Wrong($"the archive has more than {MostEntries} entries");
                if (entry.EntryType is TarEntryType.RegularFile or TarEntryType.V7RegularFile)
                    archive._entries[entry.Name] = (entry.DataOffset, entry.Length);
            }
        }
        catch (Exception e) when (e is InvalidDataException or FormatException or ArgumentException or EndOfStreamException)
        {
            throw OciReader.Wrong("podman's archive of the image cannot be read", e);
        }

        return archive;
    }

    public async Task<(Digest Digest, ImageManifest Manifest)> ManifestAsync(string architecture, CancellationToken ct)
    {
        var document = _reader.Manifest(await DocumentAsync(Index, ct));
        if (document is ManifestDocument.Platforms { All: [{ Digest: { } only }] })
            document = _reader.Manifest(await DocumentAsync(only, ct));
        return document is ManifestDocument.OneImage { Manifest: var manifest }
            ? (_name, manifest)
            : throw OciReader.Wrong("podman's archive does not have exactly one image");
    }

    public async Task<OciConfig> ConfigAsync(ImageManifest manifest, CancellationToken ct) =>
        OciReader.Config(await DocumentAsync(manifest.Config.Digest, ct), manifest.Layers.Count);

    public async Task BlobAsync(Blob blob, Stream output, DiskRoom room, Action<long>? here, CancellationToken ct)
    {
        var (offset, bytes) = Find(Blobs + blob.Digest.Hex);
        if (bytes != blob.Size)
            throw OciReader.Wrong($"a layer has {bytes} bytes, and its manifest says {blob.Size}");
        _file.Position = offset;
        var buffer = new byte[BufferBytes];
        for (var left = bytes; left > 0;)
        {
            var read = await _file.ReadAsync(buffer.AsMemory(0, (int)Math.Min(left, BufferBytes)), ct);
            if (read == 0)
                throw OciReader.Wrong("podman's archive ends in a layer");
            room.Take(read);
            await output.WriteAsync(buffer.AsMemory(0, read), ct);
            left -= read;
            here?.Invoke(bytes - left);
        }

        output.Position = 0;
        Verify(blob.Digest, await Digest.OfAsync(output, ct));
        output.Position = 0;
    }

    public void Dispose()
    {
        // The file is the caller's.
    }

    private async Task<byte[]> DocumentAsync(Digest digest, CancellationToken ct)
    {
        var bytes = await DocumentAsync(Blobs + digest.Hex, ct);
        Verify(digest, Digest.Of(bytes));
        return bytes;
    }

    private async Task<byte[]> DocumentAsync(string name, CancellationToken ct)
    {
        var (offset, length) = Find(name);
        if (length > OciReader.MaxDocumentBytes)
            throw OciReader.Wrong($"a document of the image is {length} bytes large; {OciReader.MaxDocumentBytes} are allowed");
        var bytes = new byte[length];
        _file.Position = offset;
        return await _file.ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false, ct) == bytes.Length
            ? bytes
            : throw OciReader.Wrong("podman's archive ends in a document");
    }

    private (long Offset, long Bytes) Find(string name) => _entries.TryGetValue(name, out var entry)
        ? entry
        : throw OciReader.Wrong($"podman's archive has no {name}");

    private static void Verify(Digest expected, Digest found)
    {
        if (expected != found)
            throw OciReader.Wrong($"what podman's archive has is not {expected}");
    }
}
