using System.Diagnostics;
using System.Runtime.InteropServices;
using Mcp.Machine;

namespace Mcp.Runtimes.Qemu.Accel;

/// <summary>The frequency of the processor's time stamp counter, which a guest without KVM reads as it is. Left to find it out, its kernel
/// hangs in one boot of seven, or its clock runs wrong.</summary>
internal static partial class TimeStampCounter
{
    // rdtsc; shl rdx, 32; or rax, rdx; ret
    private static readonly byte[] s_read = [0x0f, 0x31, 0x48, 0xc1, 0xe2, 0x20, 0x48, 0x09, 0xd0, 0xc3];
    private static readonly TimeSpan s_measure = TimeSpan.FromMilliseconds(100);
    private const int Looks = 20;
    private const int PageBytes = 4096;
    private const int ReadWrite = 3;
    private const int ReadExecute = 5;
    private const int PrivateAnonymous = 0x22;
    private static Task<long>? s_kilohertz;

    /// <summary>Null: this processor has none that we know to read.</summary>
    public static async Task<long?> KilohertzAsync() =>
        RuntimeInformation.OSArchitecture == Architecture.X64 ? await (s_kilohertz ??= MeasureAsync()) : null;

    private static async Task<long> MeasureAsync()
    {
        var page = Map(0, PageBytes, ReadWrite, PrivateAnonymous, -1, 0);
        Marshal.Copy(s_read, 0, page, s_read.Length);
        Posix.Check(Protect(page, PageBytes, ReadExecute), "cannot read the time stamp counter");
        var from = Sample(page);
        await Task.Delay(s_measure);
        var to = Sample(page);
        _ = Unmap(page, PageBytes);
        return (long)((to.Counter - from.Counter) / Stopwatch.GetElapsedTime(from.At, to.At).TotalMilliseconds);
    }

    // This thread may be made to wait between the two clocks: of several looks the one with the least time between.
    private static (ulong Counter, long At) Sample(nint page)
    {
        var best = (Counter: 0UL, At: 0L, Gap: long.MaxValue);
        for (var i = 0; i < Looks; i++)
        {
            var before = Stopwatch.GetTimestamp();
            var counter = Now(page);
            var after = Stopwatch.GetTimestamp();
            if (after - before < best.Gap)
                best = (counter, before + ((after - before) / 2), after - before);
        }

        return (best.Counter, best.At);
    }

    private static unsafe ulong Now(nint page) => ((delegate* unmanaged<ulong>)page)();

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial nint Map(nint at, nint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect", SetLastError = true)]
    private static partial int Protect(nint at, nint length, int protection);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Unmap(nint at, nint length);
}
