using Mcp.Model.Definition;
using Mcp.Model.Definition.Keys;
using Mcp.Model.Events;

namespace Mcp.Daemon.Alerts;

/// <summary>Every key of [alerts], once.</summary>
internal static class AlertKeys
{
    public const string Text =
        "A program that is run for events, with MCP_EVENT, MCP_SERVICE, MCP_COMPONENT, MCP_DETAIL, MCP_NODE and MCP_TIME in its "
            + "environment.";

    /// <param name="program">Whose file it is: an alert may be asked for of everything that this program writes.</param>
    public static KeyTable<AlertOptions> Of(EventSource program)
    {
        var all = EventKind.AlertsOf(program);
        var kind = new TextKind<EventKind>("a kind of event", TryParse, k => k.Text, advise: text => Advice(text, all));
        return new KeyTable<AlertOptions>("[alerts]", AlertOptions.Usual)
            .List(
                "command", TextKinds.Any,
                a => a.Command, (a, v) => a with { Command = v },
                "The program, with its arguments.",
                "no alerts",
                "[\"/usr/local/bin/alert\"]")
            .List(
                "on", kind,
                a => a.On, (a, v) => a with { On = v },
                "Kinds of events, instead of the usual ones; all are in docs/events.md.",
                "the usual kinds",
                "[\"deploy.failed\"]");

        bool TryParse(string text, out EventKind found)
        {
            found = EventKind.Of(text);
            return all.Contains(found);
        }
    }

    /// <summary>What is wrong with values that fit their keys.</summary>
    public static IEnumerable<Problem> Check(AlertOptions alerts, Places places)
    {
        if (alerts.On.Count > 0 && alerts.Command.Count == 0)
            yield return places.Problem(alerts, "[alerts] needs 'command', where it has an 'on'", "", "");
    }

    private static string Advice(string text, IReadOnlyList<EventKind> all)
    {
        var list = string.Join(" | ", all);
        if (EventKind.Find(text) is { From: var from } known && known != EventKind.AlertFailed)
            return $"{text} is an event of the {(from == EventSource.Master ? "master" : "agents")} and alerts from there; here: {list}";
        return DidYouMean.Nearest(text, all.Select(k => k.Text)) is { } near ? $"did you mean '{near}'? {list}" : list;
    }
}
