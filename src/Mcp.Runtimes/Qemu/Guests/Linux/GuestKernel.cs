namespace Mcp.Runtimes.Qemu.Guests.Linux;

/// <summary>A stock kernel of this machine and the modules that a guest needs of it, in the order in which they load.</summary>
internal sealed record GuestKernel(string Image, string Release, IReadOnlyList<string> Modules)
{
    private const string Boot = "/boot";
    private const string ImagePrefix = "vmlinuz-";
    // Built into some kernels, and then absent from modules.dep.
    private static readonly string[] s_needed =
        ["virtio_pci", "virtio_blk", "virtio_net", "overlay", "virtiofs", "button", "evdev", "virtio_console"];

    /// <param name="image">A kernel of the configuration; null: the newest in /boot with modules, one made for VMs first.</param>
    /// <returns>Null and why, if there is none.</returns>
    public static (GuestKernel? Kernel, string Why) Find(string? image)
    {
        var candidates = image is not null ? [image] : !Directory.Exists(Boot) ? []
            : Directory.EnumerateFiles(Boot, ImagePrefix + "*")
                .OrderByDescending(f => f.Contains("cloud", StringComparison.Ordinal))
                .ThenByDescending(f => f, StringComparer.Ordinal)
                .ToArray();
        foreach (var candidate in candidates.Where(File.Exists))
        {
            var name = Path.GetFileName(candidate);
            var release = name.StartsWith(ImagePrefix, StringComparison.Ordinal) ? name[ImagePrefix.Length..] : name;
            var table = Path.Combine("/lib/modules", release, "modules.dep");
            if (File.Exists(table))
                return (new GuestKernel(candidate, release, Order(table, Path.GetDirectoryName(table)!)), "");
        }

        return (null, image is not null
            ? $"the kernel {image} or its modules in /lib/modules are not there"
            : "there is no kernel with modules in /boot and /lib/modules");
    }

    /// <summary>A copy that VMs keep by a link when the host's package takes this kernel away, that any user may read, and unpacked where
    /// that can be.</summary>
    public string Copy(string directory) =>
        SharedFile.Make(directory, "kernel", $"{Release}-{File.GetLastWriteTimeUtc(Image):yyyyMMddHHmmss}", to =>
    {
        if (!KernelImage.TryUnpack(Image, Release, to))
            File.Copy(Image, to, overwrite: true);
    });

    // man 5 modules.dep: "path: the paths it needs", all of them, nearest first.
    private static List<string> Order(string table, string home)
    {
        var lines = File.ReadLines(table)
            .Select(l => l.Split(':', 2))
            .Where(l => l.Length == 2)
            .ToDictionary(l => l[0], l => l[1].Split(' ', StringSplitOptions.RemoveEmptyEntries));
        var order = new List<string>();
        foreach (var needed in s_needed)
        {
            if (lines.FirstOrDefault(l => NameOf(l.Key) == needed) is { Key: { } module, Value: var before })
                order.AddRange(before.Reverse().Append(module).Select(m => Path.Combine(home, m)).Except(order).ToList());
        }

        return order;

        static string NameOf(string module) => Path.GetFileName(module).Split('.')[0].Replace('-', '_');
    }
}
