using System.Text.RegularExpressions;
using Mcp.Agent;
using Mcp.Master;
using Mcp.Model.Definition;
using Mcp.Model.Definition.Keys;
using Mcp.Model.Events;
using Mcp.TestKit;

namespace Mcp.UnitTests.Architecture;

/// <summary>What users read is plain English: these phrases were in it once.</summary>
public sealed partial class WordsTests
{
    private static readonly string[] s_gone =
    [
        " is no time",
        " is no edge node",
        " and not '",
        "does not do:",
        "does not count any more",
        "of before",
        "on the way",
        "was told last",
        "not content",
        "without a word",
        "counts once",
        "broken off",
        "whose log?",
        "anew",
        "To do:",
        " mend ",
    ];

    [Fact]
    public void What_is_printed_and_documented_is_plain()
    {
        var texts = Files("tests", "Expectations").Concat(Files("docs", "")).Select(f => (Path.GetFileName(f), File.ReadAllText(f)))
            .Concat(EventKind.All.Select(k => (k.Text, k.Meaning)))
            .Concat(Keys([.. ServiceKeys.Service.Infos, .. AgentKeys.All.Infos, .. MasterKeys.All.Infos])
                .Select(k => (k.Name, $"{k.Text} {k.Default}")));
        Assert.Empty(texts.SelectMany(t => Found(t.Item1, t.Item2)));
    }

    [Fact]
    public void What_the_source_says_in_quotes_is_plain() =>
        Assert.Empty(Repository.Sources("src").SelectMany(file => File.ReadLines(file)
            .Where(line => !line.TrimStart().StartsWith("//", StringComparison.Ordinal))
            .SelectMany(line => Quoted().Matches(line))
            .SelectMany(quoted => Found(Path.GetFileName(file), quoted.Value))));

    private static IEnumerable<string> Found(string where, string text) =>
        s_gone.Where(gone => text.Contains(gone, StringComparison.Ordinal)).Select(gone => $"{where}: '{gone}'");

    private static IEnumerable<KeyInfo> Keys(IReadOnlyList<KeyInfo> keys) =>
        keys.Concat(keys.SelectMany(k => Keys(k.Inner ?? [])));

    private static IEnumerable<string> Files(string under, string directory) =>
        Directory.EnumerateFiles(Path.Combine(Repository.Root, under), "*", SearchOption.AllDirectories)
            .Where(f => directory.Length == 0 || Path.GetFileName(Path.GetDirectoryName(f)) == directory);

    [GeneratedRegex("\"(?:[^\"\\\\]|\\\\.)*\"")]
    private static partial Regex Quoted();
}
