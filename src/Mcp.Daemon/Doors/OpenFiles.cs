using System.Runtime.InteropServices;

namespace Mcp.Daemon.Doors;

/// <summary>How many files and connections the kernel lets this process have open.</summary>
public static partial class OpenFiles
{
    // asm-generic/resource.h
    private const int NumberOfFiles = 7;
    private const int Usual = 1024;

    /// <summary>The limit, raised first as far as this process may.</summary>
    public static int Most()
    {
        if (GetLimit(NumberOfFiles, out var limit) != 0)
            return Usual;
        var raised = limit with { Soft = limit.Hard };
        var most = limit.Soft < limit.Hard && SetLimit(NumberOfFiles, raised) == 0 ? raised.Soft : limit.Soft;
        return (int)Math.Min(most, int.MaxValue);
    }

    /// <summary>At most that many connections, and no more than that part of what may be open: a listener that is full must leave the rest
    /// of the program what it needs.</summary>
    /// <param name="part">4: a quarter.</param>
    public static int Share(int most, int part) => Math.Min(most, Math.Max(1, Most() / part));

    [LibraryImport("libc", EntryPoint = "getrlimit")]
    private static partial int GetLimit(int resource, out Limit limit);

    [LibraryImport("libc", EntryPoint = "setrlimit")]
    private static partial int SetLimit(int resource, in Limit limit);

    [StructLayout(LayoutKind.Sequential)]
    private record struct Limit(ulong Soft, ulong Hard);
}
