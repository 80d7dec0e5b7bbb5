using Mcp.Model.Definition;
using Mcp.Model.Definition.Toml;
using Mcp.Model.Definition.Tree;
using Mcp.Model.Events;

namespace Mcp.Daemon.Alerts;

/// <summary>[alerts] of agent.toml and master.toml.</summary>
/// <param name="Command">Program and arguments; empty: no alerts.</param>
/// <param name="On">Kinds of events that alert.</param>
public sealed record AlertOptions(IReadOnlyList<string> Command, IReadOnlySet<EventKind> On)
{
    /// <param name="program">Whose file it is: an alert may be asked for of everything that this program writes.</param>
    internal static AlertOptions Read(TomlFields fields, EventSource program, List<Problem> problems)
    {
        var alerts = new TomlFields(fields.Inner("alerts") ?? new TableNode(1, 1, new Entries()), "[alerts]", problems);
        var all = EventKind.AlertsOf(program);
        var command = alerts.Texts("command").Select(t => t.Value).ToList();
        var on = alerts.Texts("on");
        foreach (var (node, text) in on.Where(t => !all.Contains(EventKind.Of(t.Value))))
            alerts.Wrong(node, Advice(text, all), "on");
        if (on.Count > 0 && command.Count == 0)
            alerts.Wrong(alerts.Table, "a command, where there is an 'on'", "command");
        alerts.RefuseUnknown();
        return new AlertOptions(command, on.Count > 0 ? on.Select(t => EventKind.Of(t.Value)).ToHashSet() : Default(program));
    }

    /// <summary>What a file that says nothing alerts of.</summary>
    public static IReadOnlySet<EventKind> Default(EventSource program) => EventKind.AlertsOf(program).Where(k => k.Alerts).ToHashSet();

    private static string Advice(string text, IReadOnlyList<EventKind> all)
    {
        var list = string.Join(" | ", all);
        if (EventKind.Find(text) is { From: var from } known && known != EventKind.AlertFailed)
            return $"{text} is an event of the {(from == EventSource.Master ? "master" : "agents")} and alerts from there; here: {list}";
        return DidYouMean.Nearest(text, all.Select(k => k.Text)) is { } near ? $"did you mean '{near}'? {list}" : list;
    }
}
