using System.Reflection;
using System.Text;
using Mcp.Model.Events;
using Mcp.TestKit;

namespace Mcp.UnitTests.Events;

public sealed class EventKindTests
{
    private static readonly Dictionary<string, EventKind> s_named =
        typeof(EventKind).GetFields(BindingFlags.Public | BindingFlags.Static).ToDictionary(f => f.Name, f => (EventKind)f.GetValue(null)!);

    [Fact]
    public void The_kinds_who_writes_them_and_which_alert_are_the_baseline() =>
        // A released line is never changed or removed: alerts and programs of other people match on it.
        Repository.Expect(
            "src/Mcp.Model/Events/baseline.txt",
            string.Concat(EventKind.All.Select(k => $"{k.Text} {k.From}{(k.Alerts ? " alerts" : "")}\n")));

    [Fact]
    public void The_reference_says_of_each_what_it_means()
    {
        var text = new StringBuilder("""
            # Events

            `mcp events` shows what happened, `mcp events --follow` then new ones as they happen; `-o json` has the kind as `kind`.
            Each agent and the master keep their newest 10,000. `[alerts]` in `agent.toml` and `master.toml` runs a command
            for those marked "yes", or for those that its `on` names, each from the program that writes it.

            | kind | of | alerts | what happened |
            | --- | --- | --- | --- |

            """);
        foreach (var kind in EventKind.All)
            text.Append($"| `{kind.Text}` | {Who(kind.From)} | {(kind.Alerts ? "yes" : "")} | {kind.Meaning} |\n");
        Repository.Expect("docs/events.md", text.ToString());
    }

    [Fact]
    public void A_kind_is_called_as_its_text_says_something_and_stands_once()
    {
        Assert.All(s_named, n => Assert.Equal(n.Key, string.Concat(n.Value.Text.Where(char.IsLetter)), ignoreCase: true));
        Assert.Equal(s_named.Values.Select(k => k.Text).Order(StringComparer.Ordinal), EventKind.All.Select(k => k.Text));
        Assert.All(s_named.Values, k => Assert.Same(k, EventKind.Find(k.Text)));
        Assert.All(s_named.Values, k => Assert.EndsWith(".", k.Meaning, StringComparison.Ordinal));
        Assert.Equal(EventKind.All.Count, EventKind.All.Select(k => k.Meaning).Distinct().Count());
    }

    [Theory]
    [InlineData(EventSource.Agent, "src/Mcp.Agent")]
    [InlineData(EventSource.Master, "src/Mcp.Master")]
    public void Each_is_written_by_the_programs_that_the_list_names_and_by_no_other(EventSource program, string room)
    {
        var sources = Repository.Sources(room).Concat(Repository.Sources("src/Mcp.Daemon")).Select(File.ReadAllText).ToList();
        var written = s_named.Where(n => sources.Exists(s => s.Contains($"EventKind.{n.Key}", StringComparison.Ordinal)));
        var listed = EventKind.All.Where(k => k.From.HasFlag(program));
        Assert.Equal(listed, written.Select(n => n.Value).OrderBy(k => k.Text, StringComparer.Ordinal));
    }

    [Fact]
    public void No_other_place_spells_a_kind()
    {
        var quoted = EventKind.All.Select(k => $"\"{k.Text}\"").ToList();
        foreach (var file in Repository.Sources("src").Where(f => Path.GetFileName(f) is not ("EventKind.cs" or "ErrorCode.cs")))
        {
            // An error code may be spelt alike; the files that init writes show a person what to write.
            var code = File.ReadLines(file).Where(l => !l.TrimStart().StartsWith("# on = [", StringComparison.Ordinal)).ToList();
            Assert.All(quoted, k => Assert.DoesNotContain(code, l => l.Contains(k, StringComparison.Ordinal)));
        }
    }

    [Fact]
    public void What_another_version_wrote_keeps_its_text_and_is_equal_to_itself()
    {
        Assert.Null(EventKind.Find("shop.closed"));
        Assert.Equal(EventKind.Of("shop.closed"), EventKind.Of("shop.closed"));
        Assert.NotEqual(EventKind.Of("shop.closed"), EventKind.Of("shop.open"));
        var foreign = EventKind.Of("shop.closed");
        Assert.Equal(("shop.closed", EventSource.None, false), ($"{foreign}", foreign.From, foreign.Alerts));
        Assert.Same(EventKind.DeployFailed, EventKind.Of("deploy.failed"));
    }

    private static string Who(EventSource from) => from switch
    {
        EventSource.Agent => "agents",
        EventSource.Master => "the master",
        _ => "both",
    };
}
