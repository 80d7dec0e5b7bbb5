using System.Buffers.Binary;
using System.Text;

namespace Mcp.Runtimes.Images;

/// <summary>What a 64-bit ELF file asks for when it is loaded. It is only read, and nothing in it is believed: man 5 elf.</summary>
/// <param name="Interpreter">The program that loads it, as a path; null: it is static.</param>
/// <param name="Needed">Its libraries, by name.</param>
internal sealed record ElfFile(string? Interpreter, IReadOnlyList<string> Needed)
{
    private const int HeaderBytes = 64;
    private const int SegmentBytes = 56;
    private const int MaxSegments = 1000;
    private const int MaxText = 4096;
    private const int MaxDynamicBytes = 256 * 1024;
    private const int DynamicBytes = 16;
    private const int MaxNeeded = 2000;
    private const uint Load = 1;
    private const uint Dynamic = 2;
    private const uint Interpret = 3;
    private const ulong NeededTag = 1;
    private const ulong StringsTag = 5;

    /// <returns>Null: it is no such file, or a damaged one.</returns>
    public static ElfFile? Read(string path)
    {
        using var file = File.OpenRead(path);
        var header = At(file, 0, HeaderBytes);
        if (header is null || !header.AsSpan().StartsWith("\u007fELF\u0002\u0001"u8))
            return null;
        var count = BinaryPrimitives.ReadUInt16LittleEndian(header.AsSpan(56));
        var usual = BinaryPrimitives.ReadUInt16LittleEndian(header.AsSpan(54)) == SegmentBytes && count <= MaxSegments;
        var segments = usual ? At(file, Number(header, 32), count * SegmentBytes) : null;
        if (segments is null)
            return null;
        var all = Enumerable.Range(0, count).Select(i => Segment.Of(segments.AsSpan(i * SegmentBytes))).ToList();
        var interpreter = all.FirstOrDefault(s => s.Type == Interpret) is { } asks ? Text(file, asks.Offset) : null;
        return new ElfFile(interpreter, all.FirstOrDefault(s => s.Type == Dynamic) is { } dynamic ? Libraries(file, dynamic, all) : []);
    }

    private static List<string> Libraries(FileStream file, Segment dynamic, List<Segment> all)
    {
        var table = At(file, dynamic.Offset, (int)Math.Min(dynamic.Bytes, MaxDynamicBytes)) ?? [];
        var entries = Enumerable.Range(0, table.Length / DynamicBytes)
            .Select(i => (Tag: Number(table, i * DynamicBytes), Value: Number(table, (i * DynamicBytes) + 8)))
            .TakeWhile(e => e.Tag != 0)
            .ToList();
        var strings = entries.FirstOrDefault(e => e.Tag == StringsTag).Value;
        if (all.FirstOrDefault(s => s.Type == Load && strings >= s.Address && strings - s.Address < s.Bytes) is not { } home)
            return [];
        var from = strings - home.Address + home.Offset;
        var names = entries.Where(e => e.Tag == NeededTag).Take(MaxNeeded).Select(e => Text(file, from + e.Value));
        return [.. names.OfType<string>().Where(n => n.Length > 0)];
    }

    private static string? Text(FileStream file, ulong offset)
    {
        if (offset >= (ulong)file.Length)
            return null;
        var bytes = new byte[MaxText];
        var read = RandomAccess.Read(file.SafeFileHandle, bytes, (long)offset);
        var end = bytes.AsSpan(0, read).IndexOf((byte)0);
        return end < 0 ? null : Encoding.UTF8.GetString(bytes, 0, end);
    }

    private static byte[]? At(FileStream file, ulong offset, int count)
    {
        if (offset > (ulong)file.Length)
            return null;
        var bytes = new byte[count];
        return RandomAccess.Read(file.SafeFileHandle, bytes, (long)offset) == count ? bytes : null;
    }

    private static ulong Number(byte[] bytes, ulong at) => BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan((int)at));

    private static ulong Number(byte[] bytes, int at) => Number(bytes, (ulong)at);

    private sealed record Segment(uint Type, ulong Offset, ulong Address, ulong Bytes)
    {
        public static Segment Of(ReadOnlySpan<byte> bytes) => new(
            BinaryPrimitives.ReadUInt32LittleEndian(bytes), BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]),
            BinaryPrimitives.ReadUInt64LittleEndian(bytes[16..]), BinaryPrimitives.ReadUInt64LittleEndian(bytes[32..]));
    }
}
