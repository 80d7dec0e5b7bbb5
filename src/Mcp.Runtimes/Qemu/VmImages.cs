using System.Collections.Concurrent;
using Mcp.Machine;
using Mcp.Model.Images;
using Mcp.Model.Names;
using Mcp.Runtimes.Images;
using Mcp.Runtimes.Qemu.Guests.Nanos;

namespace Mcp.Runtimes.Qemu;

/// <summary>The images that were unpacked for VMs, and the disks that unikernels were made into; all of them are mcp's.</summary>
public sealed class VmImages(QemuOptions options) : IImageStock
{
    // Of what never changes, by its directory.
    private readonly ConcurrentDictionary<string, long> _sizes = new();
    private readonly StoreDirectory _store = new(options.Images);
    private readonly ImageStore _images = new(options.Images, new RegistryCredentials(options.AuthFile));

    public ImageKind Kind => ImageKind.Unpacked;

    public Task<IReadOnlyList<HeldImage>> ListAsync(CancellationToken ct) => Task.Run<IReadOnlyList<HeldImage>>(() => List(ct), ct);

    public Task<IReadOnlyList<string>> IdsAsync(CancellationToken ct) => Task.FromResult<IReadOnlyList<string>>([]);

    public Task<string> MeaningAsync(ImageReference reference, CancellationToken ct) =>
        Task.FromResult(_images.Find(reference)?.Digest ?? "");

    /// <summary>Nobody else removes anything here, so nothing needs a name.</summary>
    public Task NameAsync(HeldImage image, IReadOnlyCollection<string> names, CancellationToken ct) => Task.CompletedTask;

    public Task<bool> RemoveAsync(HeldImage image, IReadOnlyCollection<string> references, CancellationToken ct) => Task.Run(
        () => _store.Remove(image.Id, () => List(ct).FirstOrDefault(i => i.Id == image.Id) is null or { Users.Count: 0 }), ct);

    public Task SweepAsync(CancellationToken ct) => Task.Run(
        () =>
        {
            _store.Sweep();
            _store.ForgetMeanings();
        },
        ct);

    public Task<string?> DirectoryAsync(CancellationToken ct) => Task.FromResult<string?>(options.Images);

    private List<HeldImage> List(CancellationToken ct)
    {
        var vms = VmDirectory.Every(options.Vms)
            .Select(v => (Name: Path.GetFileName(v.Path), v.Record, Disk: Identity(v.Machine)))
            .ToList();
        var all = new List<HeldImage>();
        foreach (var image in _store.Images())
        {
            var users = vms.Where(v => v.Record?.Digest == image.Name).ToList();
            var disks = Disks(image).ToList();
            all.Add(new HeldImage(ImageKind.Unpacked, image.Name)
            {
                Names = [.. users.Select(u => u.Record!.Image).Distinct()],
                Bytes = Size(image, ct),
                Users = [.. users.Select(u => u.Name)],
                InOwnStore = true,
            });
            foreach (var disk in disks)
            {
                var identity = Identity(disk.FullName);
                all.Add(new HeldImage(ImageKind.Disk, $"{image.Name}/{disk.Name}")
                {
                    Names = [.. users.Where(u => identity is not null && u.Disk == identity).Select(u => u.Record!.Image).Distinct()],
                    Bytes = Bytes(disk.FullName, ct),
                    Users = [.. users.Where(u => identity is not null && u.Disk == identity).Select(u => u.Name)],
                    InOwnStore = true,
                });
            }
        }

        return all;
    }

    // A VM has the very disk that lies with the image: a second name of it.
    private static (ulong Device, ulong Inode)? Identity(string directory) =>
        Posix.Status(Path.Combine(directory, NanosGuest.Disk), follow: false) is { } status ? (status.Device, status.Inode) : null;

    private static IEnumerable<DirectoryInfo> Disks(DirectoryInfo image)
    {
        try
        {
            return [.. image.EnumerateDirectories($"{NanosGuest.Made}*").Where(d => d.LinkTarget is null && d.Extension.Length == 0)];
        }
        catch (DirectoryNotFoundException)
        {
            // Removed meanwhile.
            return [];
        }
    }

    private long Size(DirectoryInfo image, CancellationToken ct)
    {
        var root = Path.Combine(image.FullName, ImageStore.RootDirectory);
        if (!_sizes.TryGetValue(root, out var files))
            files = _sizes[root] = Bytes(root, ct);
        try
        {
            return files + image.EnumerateFiles().Sum(f => Posix.Status(f.FullName, follow: false)?.Bytes ?? 0);
        }
        catch (DirectoryNotFoundException)
        {
            _sizes.TryRemove(root, out _);
            return 0;
        }
    }

    // A file with several names counts once.
    private static long Bytes(string directory, CancellationToken ct)
    {
        var seen = new HashSet<ulong>();
        long bytes = 0;
        try
        {
            foreach (var file in TreeWalk.Of(directory))
            {
                ct.ThrowIfCancellationRequested();
                if (Posix.Status(file.FullName, follow: false) is { } status && (status.Links == 1 || seen.Add(status.Inode)))
                    bytes += status.Bytes;
            }
        }
        catch (DirectoryNotFoundException)
        {
            // Removed meanwhile.
        }

        return bytes;
    }
}
