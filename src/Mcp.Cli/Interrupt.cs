using System.Runtime.InteropServices;
using Mcp.Machine;

namespace Mcp.Cli;

/// <summary>
/// What ends a command before its time. Ctrl-C and SIGTERM cancel whatever there is (130, 143); a reader of standard output that is gone
/// cancels what only shows (141), while what changes something goes on to its end.
/// </summary>
internal static class Interrupt
{
    public const int ByReader = 141;
    private const int ByKeyboard = 130;
    private const int ByTerm = 143;
    private const int StandardOutput = 1;

    // What does not end when it is told to is left.
    private static readonly TimeSpan s_longest = TimeSpan.FromSeconds(2);
    private static readonly CancellationTokenSource s_signal = new();
    private static readonly CancellationTokenSource s_reader = new();
    private static readonly List<IDisposable> s_kept = [];
    private static int s_code;
    private static volatile bool s_isChilds;

    /// <summary>Ctrl-C or SIGTERM.</summary>
    public static CancellationToken Signal => s_signal.Token;

    /// <summary>Nobody reads standard output any more.</summary>
    public static CancellationToken ReaderGone => s_reader.Token;

    /// <summary>How the command ends because of a signal; null: there was none.</summary>
    public static int? Code => s_code == 0 ? null : s_code;

    /// <summary>Once, before anything is written.</summary>
    public static void Watch()
    {
        s_kept.Add(PosixSignalRegistration.Create(PosixSignal.SIGINT, came => End(came, ByKeyboard)));
        s_kept.Add(PosixSignalRegistration.Create(PosixSignal.SIGTERM, came => End(came, ByTerm)));
        if (Console.IsOutputRedirected)
            new Thread(Listen) { IsBackground = true, Name = "reader of standard output" }.Start();
    }

    /// <summary>While another program has the terminal, Ctrl-C is its own.</summary>
    public static async Task LeaveToAsync(Task child)
    {
        s_isChilds = true;
        try
        {
            await child;
        }
        finally
        {
            s_isChilds = false;
        }
    }

    private static void Listen()
    {
        if (Posix.AwaitReaderGone(StandardOutput))
            s_reader.Cancel();
    }

    // The second time it is the system's: the program ends at once.
    private static void End(PosixSignalContext came, int code)
    {
        if (s_isChilds && code == ByKeyboard)
        {
            came.Cancel = true;
            return;
        }

        came.Cancel = Interlocked.CompareExchange(ref s_code, code, 0) == 0;
        if (!came.Cancel)
            return;
        s_kept.Add(TimeProvider.System.CreateTimer(_ => Environment.Exit(code), null, s_longest, Timeout.InfiniteTimeSpan));
        s_signal.Cancel();
    }
}
