using System.Runtime.CompilerServices;
using System.Security.Cryptography;

namespace Mcp.Agent.Proxy;

/// <summary>Which build of the program runs: a hash of the very files that it runs from. The same for copies of one build, another one for
/// every other build.</summary>
internal static class ProxyBuild
{
    private const int Characters = 16;

    // Of the file that was started, also where it has been replaced or removed since.
    private const string OwnFile = "/proc/self/exe";

    /// <summary>Of this process. Reads 30 MB.</summary>
    public static string OfThis() => Of(Files());

    /// <param name="files">Their contents count, and their order; not their names.</param>
    public static string Of(IEnumerable<string> files)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var file in files)
        {
            using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            hash.AppendData(SHA256.HashData(stream));
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset())[..Characters];
    }

    // Without Native AOT the program is in libraries beside it.
    private static IEnumerable<string> Files() => RuntimeFeature.IsDynamicCodeCompiled
        ? Directory.GetFiles(AppContext.BaseDirectory, "*.dll").Order(StringComparer.Ordinal).Prepend(OwnFile)
        : [OwnFile];
}
