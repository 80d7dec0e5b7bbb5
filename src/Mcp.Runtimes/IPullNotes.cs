namespace Mcp.Runtimes;

/// <summary>A pull's progress that also hears what is to be told when it is over.</summary>
public interface IPullNotes : IProgress<string>
{
    void Note(string what);
}

public static class PullNotes
{
    /// <summary>Tells of it now, and when the pull is over where somebody listens for that.</summary>
    public static void Note(this IProgress<string>? progress, string what)
    {
        (progress as IPullNotes)?.Note(what);
        progress?.Report(what);
    }
}
