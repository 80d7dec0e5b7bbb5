using System.Text;
using System.Text.RegularExpressions;

namespace Mcp.TestKit;

/// <summary>What commands print, as it is kept in the repository: what differs from run to run is replaced.</summary>
/// <param name="names">What stands for a text of this run, such as a directory.</param>
public sealed partial class Transcript(params IReadOnlyList<(string Text, string Name)> names)
{
    private readonly StringBuilder _text = new();

    /// <param name="output">Standard output, and what was told on standard error.</param>
    public void Add(string command, int exitCode, string output)
    {
        _text.Append(_text.Length > 0 ? "\n" : "").Append("$ ").Append(Steady(command)).Append('\n');
        _text.Append(Steady(output.ReplaceLineEndings("\n")).TrimEnd('\n'));
        _text.Append(output.Length > 0 ? "\n" : "").Append(exitCode == 0 ? "" : $"[exit code {exitCode}]\n");
    }

    public override string ToString() => _text.ToString();

    private string Steady(string text)
    {
        foreach (var (from, name) in names)
            text = text.Replace(from, name, StringComparison.Ordinal);
        text = Time().Replace(text, "TIME");
        text = Date().Replace(text, "DATE");
        text = Took().Replace(text, "$1 N ms");
        text = Number().Replace(text, "$1N");
        text = Memory().Replace(text, "MEMORY");
        text = Digest().Replace(text, "sha256:DIGEST");
        text = Id().Replace(text, "ID");
        text = Port().Replace(text, "$1PORT");
        text = Age().Replace(text, "  AGE  ");
        text = Proxy().Replace(text, "$1PORT/");
        return Gap().Replace(text, "  ");
    }

    [GeneratedRegex(@"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z| UTC|\+00:00)?")]
    private static partial Regex Time();

    [GeneratedRegex(@"\b20\d\d-\d\d-\d\d\b")]
    private static partial Regex Date();

    [GeneratedRegex(@"(ok|failed|undone|in|after|for|took|[a-z]) +\d+ ms")]
    private static partial Regex Took();

    // In JSON: times, sizes and numbers of this run.
    [GeneratedRegex("(\"(duration_ms|elapsed_ms|pid|host_port|memory_bytes|release)\": ?\"?)\\d+")]
    private static partial Regex Number();

    [GeneratedRegex(@"\b\d+(\.\d+)? (GiB|MiB)\b")]
    private static partial Regex Memory();

    [GeneratedRegex("sha256:[0-9a-f]{12,64}")]
    private static partial Regex Digest();

    [GeneratedRegex(@"\b[0-9a-f]{12,64}\b|\b[0-9A-F]{30,40}\b")]
    private static partial Regex Id();

    // Routes' ports of the node, and those of clients.
    [GeneratedRegex(@"(127\.0\.0\.1:|port |""|\]:)[1-6]\d{4}\b")]
    private static partial Regex Port();

    [GeneratedRegex(@"  \d+ (s|min|h|d)  ")]
    private static partial Regex Age();

    [GeneratedRegex(@"(://[a-z.-]+\.localhost:)\d+/")]
    private static partial Regex Proxy();

    // Columns are as wide as what was replaced.
    [GeneratedRegex("  +")]
    private static partial Regex Gap();
}
