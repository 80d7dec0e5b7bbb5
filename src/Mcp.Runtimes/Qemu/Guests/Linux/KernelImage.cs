using System.Buffers.Binary;
using System.Diagnostics;

namespace Mcp.Runtimes.Qemu.Guests.Linux;

/// <summary>The kernel proper out of a bzImage: QEMU starts it by its PVH entry, which saves a guest the unpacking and the memory for it.
/// https://docs.kernel.org/arch/x86/boot.html</summary>
internal static class KernelImage
{
    private const int SetupSectors = 0x1f1;
    private const int HeaderMagic = 0x202;
    private const int PayloadOffset = 0x248;
    private const int PayloadLength = 0x24c;
    private const int DefaultSetupSectors = 4;
    private const int HeaderBytes = 0x260;
    private const int SectorBytes = 512;
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(30);
    private static readonly byte[] s_elf = [0x7f, (byte)'E', (byte)'L', (byte)'F'];

    // By how a payload begins; behind all but gzip's the kernel's build puts four bytes.
    private static readonly (byte[] Magic, string Program, int Behind)[] s_kinds =
    [
        ([0x1f, 0x8b], "gzip", 0),
        ([0x02, 0x21, 0x4c, 0x18], "lz4", 4),
        ([0x28, 0xb5, 0x2f, 0xfd], "zstd", 4),
        ([0xfd, 0x37, 0x7a, 0x58, 0x5a], "xz", 4),
    ];

    /// <returns>False: this kernel cannot be started so, or what unpacks it is not installed; nothing of use was written.</returns>
    public static bool TryUnpack(string image, string release, string to)
    {
        using var input = File.OpenRead(image);
        if (!HasPvhEntry(release) || Payload(input) is not var (from, length) || Unpacker(input, from) is not var (program, behind))
            return false;
        using var process = Process.Start(Programs.Start(program, ["-dc"]));
        if (process is null)
            return false;
        using var limit = new CancellationTokenSource(s_limit);
        using var kill = limit.Token.Register(() => process.Kill());
        process.ErrorDataReceived += (_, _) => { };
        process.BeginErrorReadLine();
        input.Position = from;
        _ = Task.Run(() => Feed(input, length - behind, process.StandardInput.BaseStream));
        using (var output = File.Create(to))
            process.StandardOutput.BaseStream.CopyTo(output);
        process.WaitForExit();
        using var unpacked = File.OpenRead(to);
        var begin = new byte[s_elf.Length];
        return process.ExitCode == 0 && unpacked.Read(begin) == begin.Length && begin.AsSpan().SequenceEqual(s_elf);
    }

    private static bool HasPvhEntry(string release)
    {
        var config = $"/boot/config-{release}";
        return File.Exists(config) && File.ReadLines(config).Contains("CONFIG_PVH=y");
    }

    private static (long From, int Length)? Payload(FileStream image)
    {
        var header = new byte[HeaderBytes];
        if (image.ReadAtLeast(header, HeaderBytes, throwOnEndOfStream: false) < HeaderBytes
            || !header.AsSpan(HeaderMagic).StartsWith("HdrS"u8))
        {
            return null;
        }

        var sectors = header[SetupSectors] == 0 ? DefaultSetupSectors : header[SetupSectors];
        var from = ((sectors + 1L) * SectorBytes) + BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(PayloadOffset));
        var length = BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(PayloadLength));
        return from + length <= image.Length && length > s_kinds.Max(k => k.Behind) ? (from, (int)length) : null;
    }

    private static (string Program, int Behind)? Unpacker(FileStream image, long from)
    {
        var begin = new byte[s_kinds.Max(k => k.Magic.Length)];
        image.Position = from;
        image.ReadExactly(begin);
        var kind = s_kinds.FirstOrDefault(k => begin.AsSpan().StartsWith(k.Magic));
        return kind.Program is not null && Programs.Find(kind.Program) is { } program ? (program, kind.Behind) : null;
    }

    private static void Feed(FileStream image, int length, Stream program)
    {
        var buffer = new byte[64 * 1024];
        try
        {
            using (program)
            {
                for (int read; length > 0 && (read = image.Read(buffer, 0, Math.Min(length, buffer.Length))) > 0; length -= read)
                    program.Write(buffer, 0, read);
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            // It has what it wants.
        }
    }
}
