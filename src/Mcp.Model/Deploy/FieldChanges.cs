using Mcp.Model.Definition;
using Mcp.Model.Definition.Keys;

namespace Mcp.Model.Deploy;

/// <summary>What differs between two definitions, key by key. It knows no key: it compares what is written, so a new key shows by
/// itself.</summary>
internal static class FieldChanges
{
    private const int Longest = 60;
    private const string Cut = "...";

    // How much of what both have in common is shown before the difference.
    private const int Lead = 10;

    // What a part is called: two parts of different names are not compared.
    private const string Identity = "name";

    private static readonly IReadOnlyList<string> s_componentKeys = [.. ServiceKeys.Component.Infos.Select(i => i.Name)];
    private static readonly IReadOnlyList<string> s_serviceKeys = [.. ServiceKeys.Service.Infos.Select(i => i.Name)];

    /// <param name="before">Null: it is new.</param>
    public static IReadOnlyList<FieldChange> Of(ComponentDefinition? before, ComponentDefinition after) =>
        Compare(ServiceKeys.Component, before, after, s_componentKeys);

    /// <summary>Keys of the service itself, and the order of its components.</summary>
    /// <inheritdoc cref="Of(ComponentDefinition?, ComponentDefinition)"/>
    public static IReadOnlyList<FieldChange> Of(ServiceDefinition? before, ServiceDefinition after)
    {
        var changes = Compare(
            ServiceKeys.Service,
            before is null ? null : before with { Components = [] },
            after with { Components = [] },
            s_serviceKeys);
        var (old, come) = (NamesOf(before), NamesOf(after));
        return Leaves.IsReordered(old, come) ? [.. changes, Change("components", Leaves.Text(old), Leaves.Text(come))] : changes;
    }

    private static List<string> NamesOf(ServiceDefinition? service) => [.. (service?.Components ?? []).Select(c => c.Name.Text)];

    private static List<FieldChange> Compare<TPart>(KeyTable<TPart> keys, TPart? before, TPart after, IReadOnlyList<string> order)
        where TPart : class
    {
        var (old, come) = (Leaves.Of(before is null ? null : keys.Write(before)), Leaves.Of(keys.Write(after)));
        // Of what is written on one side only, the other side's value is the one that holds without.
        var (oldWhole, comeWhole) = (Leaves.Of(before is null ? null : keys.WriteWhole(before)), Leaves.Of(keys.WriteWhole(after)));
        var changed = old.Paths.Union(come.Paths).Where(p => p != Identity && old[p]?.Text != come[p]?.Text).ToList();
        var changes = changed.Select(p => Change(p, old[p] ?? oldWhole[p], come[p] ?? comeWhole[p]));
        var reordered = old.Lists.Where(l => come.Names(l) is { } names && Leaves.IsReordered(old.Names(l)!, names))
            .Select(l => Change(l, Leaves.Text(old.Names(l)!), Leaves.Text(come.Names(l)!)));
        return [.. changes.Concat(reordered).OrderBy(c => Rank(c.Path, order))];
    }

    // A key that this version does not know comes last.
    private static int Rank(string path, IReadOnlyList<string> order)
    {
        var key = path.Split('.', 2)[0];
        for (var i = 0; i < order.Count; i++)
        {
            if (order[i] == key)
                return i;
        }

        return order.Count;
    }

    private static FieldChange Change(string path, Leaf? old, Leaf? come)
    {
        var (before, after) = (Seen(old), Seen(come));
        var same = Common(before, after);
        // Two long values that begin alike would look alike.
        var from = same > Longest - Cut.Length - Lead && Math.Max(before.Length, after.Length) > Longest ? same - Lead : 0;
        return new FieldChange(path, Clip(before, from), Clip(after, from));
    }

    private static string Seen(Leaf? leaf) => leaf switch
    {
        null => "",
        { IsSecret: true } => FieldChange.Hidden,
        _ => leaf.Text,
    };

    private static int Common(string one, string other)
    {
        var same = 0;
        while (same < one.Length && same < other.Length && one[same] == other[same])
            same++;
        return same;
    }

    private static string Clip(string text, int from)
    {
        if (from > 0 && from < text.Length)
            text = Cut + text[(char.IsLowSurrogate(text[from]) ? from + 1 : from)..];
        if (text.Length <= Longest)
            return text;
        var end = Longest - Cut.Length;
        return text[..(char.IsHighSurrogate(text[end - 1]) ? end - 1 : end)] + Cut;
    }
}
