using System.Security.Cryptography;
using System.Text;

namespace Mcp.Runtimes.Qemu.Guests.Linux;

/// <summary>The first file system of a microvm: busybox, the kernel's modules, our init. Made once for each kernel and version of
/// ours.</summary>
internal static class Initramfs
{
    /// <returns>The file.</returns>
    public static string Make(GuestKernel kernel, string busybox, string directory)
    {
        var (init, channel) = (Script("init.sh"), Script("channel.sh"));
        var key = Convert.ToHexStringLower(SHA256.HashData(
            [.. init, .. channel, .. Encoding.UTF8.GetBytes($"{kernel.Release} {busybox} {File.GetLastWriteTimeUtc(busybox):O}")]))[..16];
        return SharedFile.Make(directory, "initrd", $"{kernel.Release}-{key}", to =>
        {
            using var output = File.Create(to);
            Write(new Cpio(output), kernel, File.ReadAllBytes(busybox), init, channel);
        });
    }

    private static void Write(Cpio cpio, GuestKernel kernel, byte[] busybox, byte[] init, byte[] channel)
    {
        foreach (var name in (string[])["bin", "dev", "proc", "sys", "modules", "config", "lower", "upper", "root", "run"])
            cpio.Directory(name);
        cpio.Program("bin/busybox", busybox);
        cpio.Program("init", init);
        cpio.Program("channel", channel);
        foreach (var module in kernel.Modules)
            cpio.Program($"modules/{Path.GetFileName(module)}", File.ReadAllBytes(module));
        cpio.Program("modules/order", Encoding.ASCII.GetBytes(string.Concat(kernel.Modules.Select(m => Path.GetFileName(m) + '\n'))));
        cpio.End();
    }

    private static byte[] Script(string name)
    {
        using var stream = typeof(Initramfs).Assembly.GetManifestResourceStream(name)!;
        using var bytes = new MemoryStream();
        stream.CopyTo(bytes);
        return bytes.ToArray();
    }
}
