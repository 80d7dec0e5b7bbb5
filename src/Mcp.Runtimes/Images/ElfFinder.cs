using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Mcp.Model.Errors;

namespace Mcp.Runtimes.Images;

/// <summary>The program that an image starts, as a file of its tree.</summary>
internal static class ElfFinder
{
    private const int HeaderBytes = 64;
    private const int MaxShebang = 128;
    private const ushort X64 = 62;
    private const ushort Arm64 = 183;

    /// <returns>Path inside the image, all links followed.</returns>
    /// <exception cref="McpException">image.entrypoint: none, not found, a script, or for another processor; says what to do.</exception>
    public static string Find(StoredImage image, string program)
    {
        var path = Candidates(image, program).Select(c => RootedPath.Resolve(image.Root, c, followLast: true)).FirstOrDefault(File.Exists)
            ?? throw Wrong($"the image's program '{program}' is not in the image", "correct ENTRYPOINT or cmd");
        var inside = path[image.Root.Length..];
        var header = new byte[HeaderBytes];
        using var file = File.OpenRead(path);
        var length = file.ReadAtLeast(header, header.Length, throwOnEndOfStream: false);
        if (length > 1 && header[0] == '#' && header[1] == '!')
        {
            var line = Encoding.UTF8.GetString(header, 0, Math.Min(length, MaxShebang)).Split('\n')[0];
            throw Wrong(
                $"{inside} is a script ({line}), and a unikernel runs one ELF program",
                "use runtime = \"microvm\", or name the program itself in cmd");
        }

        if (length < HeaderBytes || header[0] != 0x7f || header[1] != 'E' || header[2] != 'L' || header[3] != 'F')
            throw Wrong($"{inside} is not an ELF program", "use runtime = \"microvm\" or \"container\"");
        var machine = BinaryPrimitives.ReadUInt16LittleEndian(header.AsSpan(18));
        var wanted = RuntimeInformation.OSArchitecture == System.Runtime.InteropServices.Architecture.Arm64 ? Arm64 : X64;
        return machine == wanted
            ? inside
            : throw Wrong(
                $"{inside} is for another processor (ELF machine {machine}, and this node is {wanted})",
                $"build the image for {ImageStore.Architecture}");
    }

    private static IEnumerable<string> Candidates(StoredImage image, string program) =>
        program.Contains('/', StringComparison.Ordinal)
            ? [Path.Combine(image.WorkingDir, program)]
            : image.Environment(new Dictionary<string, string>())["PATH"].Split(':').Select(d => Path.Combine(d, program));

    private static McpException Wrong(string what, string hint) => new(ErrorCode.ImageEntrypoint, what, hint);
}
