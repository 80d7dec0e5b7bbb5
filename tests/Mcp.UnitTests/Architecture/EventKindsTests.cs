using System.Text.RegularExpressions;
using Mcp.Agent.Alerts;
using Mcp.Daemon.Events;

namespace Mcp.UnitTests.Architecture;

public partial class EventKindsTests
{
    // ServiceControl makes them of what it did.
    private static readonly string[] s_made = ["component.restarted", "component.started", "component.stopped"];

    [Theory]
    [InlineData("src/Mcp.Agent")]
    [InlineData("src/Mcp.Master")]
    public void Every_kind_that_is_written_is_in_the_list_and_no_other(string program)
    {
        var written = Repository.Sources(program).Concat(Repository.Sources("src/Mcp.Daemon/Identity")).SelectMany(File.ReadLines)
            .Where(l => l.Contains("vents.Add(", StringComparison.Ordinal) || l.Contains("var kind = ", StringComparison.Ordinal))
            .SelectMany(l => Kind().Matches(l)).Select(m => m.Groups[1].Value).ToHashSet();
        var listed = program == "src/Mcp.Agent" ? EventKinds.OfAgents.Except(s_made) : EventKinds.OfTheMaster;
        Assert.Equal(listed.Order(StringComparer.Ordinal), written.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void An_alert_may_be_asked_for_of_every_kind_but_its_own_failure()
    {
        Assert.Equal(EventKinds.OfAgents.Order(StringComparer.Ordinal), AlertOptions.AllKinds.Append("alert.failed").Order(StringComparer.Ordinal));
        Assert.Contains("certificate.expiring", AlertOptions.AllKinds);
        Assert.All(AlertOptions.DefaultKinds, k => Assert.Contains(k, AlertOptions.AllKinds));
    }

    // Not what is compared with: error codes look alike.
    [GeneratedRegex("(?<!== )\"([a-z]+(?:\\.[a-z_]+)+)\"")]
    private static partial Regex Kind();
}
