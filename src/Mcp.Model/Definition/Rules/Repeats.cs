namespace Mcp.Model.Definition.Rules;

internal static class Repeats
{
    /// <summary>Those whose key an earlier one has already.</summary>
    public static IEnumerable<T> RepeatsBy<T, TKey>(this IReadOnlyCollection<T> parts, Func<T, TKey> key)
    {
        if (parts.Count < 2)
            return [];
        var seen = new HashSet<TKey>(parts.Count);
        return parts.Where(p => !seen.Add(key(p)));
    }
}
