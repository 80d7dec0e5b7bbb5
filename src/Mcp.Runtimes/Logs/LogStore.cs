using Mcp.Model.Names;

namespace Mcp.Runtimes.Logs;

/// <summary>The logs of a runtime's instances, a directory for each, which stays when the instance goes.</summary>
internal sealed class LogStore(string root)
{
    private const string LiveName = "live.log";

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

    private static InstanceLog? Log(string directory) =>
        NameOf(directory) is { } name ? new InstanceLog(name, LastWritten(directory)) : null;

    private static DateTimeOffset LastWritten(string directory) =>
        new DirectoryInfo(directory).EnumerateFiles().Select(f => f.LastWriteTimeUtc)
            .Append(Directory.GetLastWriteTimeUtc(directory))
            .Max();
}
