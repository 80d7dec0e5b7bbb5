using Mcp.Model.Definition.Tree;
using Mcp.Model.Names;

namespace Mcp.Model.Definition.Keys;

/// <summary>One reading of a file, or of what was stored: collects mistakes and places.</summary>
/// <param name="isStored">What cannot be read is kept as it is (<see cref="Unread"/>) and is no mistake.</param>
internal sealed class Reading(List<Problem> problems, Places places, bool isStored)
{
    private readonly List<Problem> _unreadable = [];

    public bool IsStored => isStored;

    public int Problems => problems.Count;

    public T Note<T>(T part, Node node)
        where T : class => places.Note(part, node);

    public void Wrong(Node node, string allowed, string key) =>
        problems.Add(new Problem(node.Line, node.Column, $"wrong value of '{key}'", Show(node), allowed));

    public void Missing(TableNode table, string what, string key) =>
        problems.Add(new Problem(table.Line, table.Column, $"{what} needs '{key}'", "", ""));

    public void Unknown(string key, Entry entry, string what, IReadOnlyList<string> known)
    {
        var nearest = DidYouMean.Nearest(key, known);
        var allowed = (nearest is null ? "" : $"did you mean '{nearest}'? there are: ") + string.Join(", ", known);
        problems.Add(new Problem(entry.Line, entry.Column, $"{what} has no key of this name", Label.Clip(key), allowed));
    }

    /// <summary>Values of keys that this version knows and cannot take.</summary>
    public IReadOnlyList<Problem> Unreadable => _unreadable;

    /// <summary>What was told since then is no mistake of the whole: its value is kept as it is.</summary>
    public void Keep(int since)
    {
        _unreadable.AddRange(problems[since..]);
        problems.RemoveRange(since, problems.Count - since);
    }

    public static string Show(Node node) => node switch
    {
        TextNode text => Label.Clip(text.Value),
        IntegerNode number => number.Value.ToString(System.Globalization.CultureInfo.InvariantCulture),
        BooleanNode truth => truth.Value ? "true" : "false",
        ListNode => "[...]",
        TableNode => "{...}",
        OtherNode other => other.Kind,
        _ => "",
    };
}
