using System.Text.RegularExpressions;
using Mcp.Model.Errors;

namespace Mcp.Runtimes.Images;

/// <summary>A dynamic program loads its libraries from the tree it is in, and from nowhere else: they have to be there.</summary>
internal static partial class ElfNeeds
{
    private const int MaxLibraries = 2000;

    /// <param name="program">Inside the tree.</param>
    /// <exception cref="McpException">image.entrypoint: names what is missing.</exception>
    public static void Check(string root, string program)
    {
        if (ElfFile.Read(RootedPath.Resolve(root, program, followLast: true)) is not { } elf
            || (elf.Interpreter is null && elf.Needed.Count == 0))
        {
            return;
        }

        if (elf.Interpreter is { } interpreter && !File.Exists(RootedPath.Resolve(root, interpreter, followLast: true)))
            throw Missing(program, $"the loader {OciReader.Shown(interpreter)}");
        // Where a loader looks is settled in several ways; what is nowhere in the tree it does not find.
        var there = TreeWalk.Of(root)
            .Where(f => f.Name.Contains(".so", StringComparison.Ordinal))
            .ToLookup(f => f.Name, f => f.FullName[root.Length..]);
        var own = elf.Interpreter?.Contains("musl", StringComparison.Ordinal) == true;
        var (seen, left) = (new HashSet<string>(), new Queue<string>(elf.Needed));
        while (left.TryDequeue(out var library) && seen.Count < MaxLibraries)
        {
            if (!seen.Add(library) || (own && MuslsOwn().IsMatch(library)))
                continue;
            var name = Path.GetFileName(library);
            if (!there.Contains(name))
                throw Missing(program, $"the library {OciReader.Shown(library)}");
            var files = there[name].Select(p => RootedPath.Resolve(root, p, followLast: true)).Where(File.Exists);
            var file = files.Select(ElfFile.Read).OfType<ElfFile>().FirstOrDefault();
            foreach (var next in file?.Needed ?? [])
                left.Enqueue(next);
        }
    }

    private static McpException Missing(string program, string what) =>
        new(
            ErrorCode.ImageEntrypoint,
            $"{program} needs {what}, which is not in the image",
            "put it into the image, or link the program statically");

    // musl's loader is these libraries itself.
    [GeneratedRegex(@"^lib(c|pthread|rt|m|dl|util|xnet)\.so$")]
    private static partial Regex MuslsOwn();
}
