using Mcp.Model.Names;

namespace Mcp.Runtimes.Logs;

/// <summary>The logs of a runtime's instances, a directory for each, which stays when the instance goes.</summary>
internal sealed class LogStore(string root)
{
    private const string LiveName = "live.log";

    // Empty, and made when the component of the log was seen to be gone.
    private const string GoneName = "gone";

    /// <summary>Whose logs there are, without a look into them: somebody asks for it every moment.</summary>
    public IReadOnlyList<InstanceName> Names()
    {
        try
        {
            return [.. Directory.EnumerateDirectories(root).Select(NameOf).OfType<InstanceName>()];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The next look tells.
            return [];
        }
    }

    public IReadOnlyList<InstanceLog> All()
    {
        try
        {
            return [.. Directory.EnumerateDirectories(root).Select(Log).OfType<InstanceLog>()];
        }
        catch (DirectoryNotFoundException)
        {
            return [];
        }
    }

    /// <summary>Of a writer that numbers its files itself.</summary>
    public LogFiles Of(InstanceName name) => new(Path.Combine(root, name.ToString()));

    /// <summary>Of one that does not.</summary>
    public LogFiles Live(InstanceName name) => new(Path.Combine(root, name.ToString()), Path.Combine(root, name.ToString(), LiveName));

    /// <summary>Writes down whether its component is gone. Safe to repeat.</summary>
    /// <returns>It was not, and is now.</returns>
    public bool MarkGone(InstanceName name, bool isGone)
    {
        var mark = Path.Combine(root, name.ToString(), GoneName);
        try
        {
            if (isGone == File.Exists(mark))
                return false;
            if (!isGone)
                File.Delete(mark);
            else
                new FileStream(mark, FileMode.CreateNew).Dispose();
            return isGone;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The log was just forgotten, or the disk is full: the next look tries again, and nothing goes for it.
            return isGone;
        }
    }

    /// <summary>Safe to repeat.</summary>
    public void Forget(InstanceName name)
    {
        try
        {
            Directory.Delete(Path.Combine(root, name.ToString()), recursive: true);
        }
        catch (DirectoryNotFoundException)
        {
            // There was none.
        }
    }

    private static InstanceName? NameOf(string directory) =>
        InstanceName.TryParse(Path.GetFileName(directory), out var name) ? name : null;

    private static InstanceLog? Log(string directory)
    {
        if (NameOf(directory) is not { } name)
            return null;
        try
        {
            var files = new DirectoryInfo(directory).GetFiles();
            var written = files.Select(f => f.LastWriteTimeUtc).Append(Directory.GetLastWriteTimeUtc(directory)).Max();
            return new InstanceLog(name, written, files.Sum(f => f.Length));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It was just forgotten. The others are there.
            return null;
        }
    }
}
