using System.Text.RegularExpressions;
using Mcp.TestKit;

namespace Mcp.UnitTests.Architecture;

public partial class ShapeTests
{
    [Fact]
    public void Files_are_short()
    {
        var lines = Repository.Sources("src").Select(f => (File: f, Lines: File.ReadLines(f).Count())).OrderBy(f => f.Lines).ToList();
        Assert.True(lines.Count > 80, "the sources were not found");
        Assert.All(lines, f => Assert.True(f.Lines <= 400, $"{f.File} has {f.Lines} lines"));
        Assert.InRange(lines[lines.Count / 2].Lines, 1, 60);
        Assert.InRange(lines[lines.Count * 95 / 100].Lines, 1, 220);
    }

    // What is left over is text: a template, a regular expression, a line of a shell, JSON of tests. It may become less.
    [Theory]
    [InlineData("src", 3)]
    [InlineData("tests", 38)]
    public void Lines_are_no_longer_than_140(string under, int most)
    {
        var longer = Repository.Sources(under)
            .SelectMany(f => File.ReadLines(f).Select((line, i) => (Place: $"{f}:{i + 1}", line.Length)).Where(l => l.Length > 140))
            .Select(l => l.Place)
            .ToList();
        Assert.True(
            longer.Count <= most,
            $"{longer.Count} lines are longer than 140, and at most {most} may be:\n{string.Join('\n', longer)}");
    }

    [Fact]
    public void Every_room_is_on_the_map()
    {
        var map = File.ReadAllText(Path.Combine(Repository.Root, "ARCHITECTURE.md"));
        var rooms = Directory.GetDirectories(Path.Combine(Repository.Root, "src"))
            .SelectMany(project => Directory.GetDirectories(project).Where(HasSources).Append(project))
            .Select(d => Path.GetFileName(d)!);
        Assert.All(
            rooms,
            room => Assert.True(
                map.Contains($"`{room}`", StringComparison.Ordinal) || map.Contains($"`src/{room}`", StringComparison.Ordinal),
                $"ARCHITECTURE.md does not name the room {room}"));
    }

    [Fact]
    public void Every_promise_names_a_test_or_a_benchmark_that_exists()
    {
        var tests = string.Join('\n', Repository.Sources("tests").Concat(Repository.Sources("bench")).Select(File.ReadAllText));
        var promises = File.ReadLines(Path.Combine(Repository.Root, "SPECIFICATION.md"))
            .Where(l => l.StartsWith("| ", StringComparison.Ordinal))
            .Skip(2)
            .ToList();
        Assert.True(promises.Count > 10, "no promises were found");
        foreach (var promise in promises)
        {
            var proofs = Proof().Matches(promise[promise.IndexOf(" | ", 2, StringComparison.Ordinal)..])
                .Select(m => m.Groups[1].Value)
                .ToList();
            Assert.True(proofs.Count > 0, $"no test is named in: {promise}");
            foreach (var proof in proofs)
            {
                var parts = proof.Split('.');
                Assert.True(
                    tests.Contains($"class {parts[0]}", StringComparison.Ordinal)
                        && (parts.Length == 1 || tests.Contains($" {parts[1]}(", StringComparison.Ordinal)),
                    $"there is no {proof}, named in: {promise}");
            }
        }
    }

    [Theory]
    [InlineData("class .*(Manager|Helper|Util|Utils)\\b")]
    [InlineData("class \\w+Service\\b")]
    public void No_class_has_a_name_that_says_nothing(string pattern) =>
        Assert.All(Repository.Sources("src"), f => Assert.DoesNotMatch(pattern, File.ReadAllText(f)));

    private static bool HasSources(string directory) => Directory.EnumerateFiles(directory, "*.cs", SearchOption.AllDirectories).Any();

    [GeneratedRegex("`([A-Za-z.0-9_]+)`")]
    private static partial Regex Proof();
}
