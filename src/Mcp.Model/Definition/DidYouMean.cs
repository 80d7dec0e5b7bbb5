namespace Mcp.Model.Definition;

/// <summary>The candidate nearest to a mistyped word: at most 3 letters, and less than half of them, are wrong, missing, too many, or
/// swapped with the next one.</summary>
public static class DidYouMean
{
    private const int LongestWord = 64;

    public static string? Nearest(string word, IEnumerable<string> candidates)
    {
        if (word.Length > LongestWord)
            return null;
        var (best, distance) = candidates.Select(c => (c, Distance(word, c))).DefaultIfEmpty(("", int.MaxValue)).MinBy(p => p.Item2);
        return distance <= 3 && distance * 2 <= Math.Max(word.Length, 2) ? best : null;
    }

    private static int Distance(string a, string b)
    {
        var previous = Enumerable.Range(0, b.Length + 1).ToArray();
        var beforeThat = previous;
        for (var i = 1; i <= a.Length; i++)
        {
            var row = new int[b.Length + 1];
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                row[j] = Math.Min(Math.Min(row[j - 1], previous[j]) + 1, previous[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1));
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                    row[j] = Math.Min(row[j], beforeThat[j - 2] + 1);
            }

            (beforeThat, previous) = (previous, row);
        }

        return previous[b.Length];
    }
}
