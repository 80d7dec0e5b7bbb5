using System.Runtime.InteropServices;

namespace Mcp.Runtimes.Qemu.Guests.Nanos;

/// <summary>The program that ops is given: it ends with 0 and does nothing else. ops finds a program's libraries by running it on this
/// machine, so the image's own program is only named to it: OpsConfig's manifest has the last word on what the guest runs.</summary>
internal static class StubProgram
{
    private const string Name = ".mcp-stub";
    private const byte X64 = 62;
    private const byte Arm64 = 183;
    // mov eax, 60; xor edi, edi; syscall
    private static readonly byte[] s_x64 = [0xb8, 60, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05, 0, 0, 0];
    // mov x8, 93; mov x0, 0; svc 0
    private static readonly byte[] s_arm64 = [0xa8, 0x0b, 0x80, 0xd2, 0, 0, 0x80, 0xd2, 1, 0, 0, 0xd4];

    /// <summary>A static ELF file: one header, one segment, twelve bytes of program.</summary>
    public static byte[] Bytes { get; } = Make(RuntimeInformation.OSArchitecture == Architecture.Arm64);

    /// <returns>Its name at the top of the tree, one that nothing there has.</returns>
    public static string Write(string tree)
    {
        var name = Name;
        for (var number = 1; IsTaken(Path.Combine(tree, name)); number++)
            name = $"{Name}-{number}";
        using var file = new FileStream(Path.Combine(tree, name), new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserExecute,
        });
        file.Write(Bytes);
        return name;
    }

    private static byte[] Make(bool arm)
    {
        const int address = 0x400000;
        const int header = 64;
        const int segment = 56;
        const int length = header + segment + 12;
        var bytes = new List<byte>();
        void Put(ulong value, int width) => bytes.AddRange(BitConverter.GetBytes(value)[..width]);

        bytes.AddRange([0x7f, .. "ELF"u8, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        Put(2, 2); // a program
        Put(arm ? Arm64 : X64, 2);
        Put(1, 4);
        Put(address + header + segment, 8); // begins
        Put(header, 8); // its segments
        Put(0, 8); // no sections
        Put(0, 4);
        foreach (var size in (ulong[])[header, segment, 1, header, 0, 0])
            Put(size, 2);
        Put(1, 4); // load
        Put(5, 4); // to read and run
        foreach (var value in (ulong[])[0, address, address, length, length, 0x1000])
            Put(value, 8);
        bytes.AddRange(arm ? s_arm64 : s_x64);
        return [.. bytes];
    }

    // Also a link that leads nowhere.
    private static bool IsTaken(string path) => Path.Exists(path) || new FileInfo(path).LinkTarget is not null;
}
