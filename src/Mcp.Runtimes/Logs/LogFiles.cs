using System.Globalization;
using Mcp.Machine;

namespace Mcp.Runtimes.Logs;

/// <summary>One instance's log, a file after the other: console.N.log. Numbers only rise, so a reader is never misled by a file that was
/// replaced under it, and a file that has a successor is whole.</summary>
/// <param name="live">The file of somebody who begins a new one under the same name, as conmon does; null: the writer numbers them itself.
/// </param>
internal sealed class LogFiles(string directory, string? live = null)
{
    /// <summary>How many are kept, with the one that is written to.</summary>
    public const int Kept = 3;
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    public string Directory => directory;

    public string? Live => live;

    public string File(int number) =>
        Path.Combine(directory, string.Create(CultureInfo.InvariantCulture, $"console.{number}.log"));

    public IReadOnlyList<int> Numbers()
    {
        try
        {
            return [.. System.IO.Directory.EnumerateFiles(directory, "console.*.log").Select(NumberOf).Where(n => n > 0).Order()];
        }
        catch (DirectoryNotFoundException)
        {
            return [];
        }
    }

    /// <summary>0: there is none.</summary>
    public int Newest() => Numbers() is [.., var newest] ? newest : 0;

    public void Create() => System.IO.Directory.CreateDirectory(directory, OwnerOnly);

    /// <summary>Gives the live file a number, if it has none, as a second name: so it stays when its writer begins a new one. The oldest
    /// goes. Whoever reads does this, and somebody must every moment: a file that is begun and replaced between two calls is lost.
    /// </summary>
    public void Take()
    {
        if (live is null || Posix.Status(live, follow: false) is not { Links: 1 })
            return;
        int number;
        try
        {
            Create();
            number = Newest() + 1;
            Posix.Link(live, File(number));
        }
        catch (IOException)
        {
            // It was replaced just now, another reader was faster, or the disk is full: the next look sees it.
            return;
        }

        // Between the look at the numbers and the new name somebody else has given one and removed older ones.
        if (Newest() == number)
            Prune(number);
        else
            System.IO.File.Delete(File(number));
    }

    /// <summary>Removes what is older than the newest that are kept.</summary>
    public void Prune(int newest, int kept = Kept)
    {
        foreach (var old in Numbers().Where(n => n <= newest - kept))
            System.IO.File.Delete(File(old));
    }

    /// <summary>The program has ended, and its writer with it: what it has not ended is a line, what a crash left of a record is none of
    /// the next. A live file that is long enough is left to its number: conmon counts anew with each start.</summary>
    /// <param name="most">Bytes of a file.</param>
    public void EndRun(DateTimeOffset now, long most)
    {
        Take();
        if (live is null || !System.IO.File.Exists(live))
            return;
        using (var file = new FileStream(live, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete))
            End(file, now);
        // One that could get no number would be lost.
        if (Posix.Status(live, follow: false) is { Links: > 1 } status && status.Bytes >= most)
            System.IO.File.Delete(live);
    }

    /// <summary>The same of one file, which may be empty.</summary>
    public static void End(FileStream file, DateTimeOffset now)
    {
        if (file.Length == 0)
            return;
        file.Seek(-1, SeekOrigin.End);
        if (file.ReadByte() != '\n')
            file.WriteByte((byte)'\n');
        file.Write(LogRecord.Head(now, LogPiece.Ended));
        file.WriteByte((byte)'\n');
    }

    // 0: it is another file.
    private static int NumberOf(string file) =>
        int.TryParse(Path.GetFileName(file).AsSpan(8..^4), CultureInfo.InvariantCulture, out var number) ? number : 0;
}
