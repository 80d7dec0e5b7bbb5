namespace Mcp.Cli.Output;

/// <summary>A column of a table.</summary>
/// <param name="Rank">0: it always stays. Where a terminal is too narrow, the greatest goes first.</param>
/// <param name="Folds">A sentence, which goes on below itself.</param>
internal sealed record Column(string Title, int Rank = 0, bool Folds = false)
{
    public static implicit operator Column(string title) => new(title);
}

/// <summary>Rows in columns. On a terminal no line is wider than that: columns go by their rank, sentences fold, and what is still too
/// long is cut.</summary>
internal sealed class Table(IReadOnlyList<Column> columns, IEnumerable<Cell[]> rows)
{
    private const int Gap = 2;
    private const int LeastFold = 20;
    private const int LeastCut = 4;

    // ECMA-48 foreground colours.
    private const int Red = 31;
    private const int Green = 32;
    private const int Yellow = 33;

    private readonly List<Cell[]> _rows = [.. rows];

    public bool IsEmpty => _rows.Count == 0;

    /// <param name="width">Of the terminal; null: there is none, or all is asked for.</param>
    /// <param name="exact">Times and not ages.</param>
    public IEnumerable<string> Lines(int? width, bool exact, bool colours)
    {
        var texts = _rows.Select(row => Array.ConvertAll(row, c => Visible.Text(exact ? c.Exact : c.Text))).ToList();
        var shown = Enumerable.Range(0, columns.Count).ToList();
        var widths = shown.Select(i => texts.Select(r => r[i].Length).Append(columns[i].Title.Length).Max()).ToArray();
        if (width is { } limit)
            Fit(shown, widths, limit);
        yield return Line(shown, widths, i => columns[i].Title, colours: false);
        foreach (var row in texts)
        {
            foreach (var line in Lines(row, shown, widths, colours))
                yield return line;
        }
    }

    /// <summary>At words, in lines of at most that many characters.</summary>
    public static IEnumerable<string> Fold(string text, int width)
    {
        while (text.Length > width)
        {
            var end = text.LastIndexOf(' ', width);
            if (end <= 0)
                end = width;
            yield return text[..end];
            text = text[end..].TrimStart(' ');
        }

        yield return text;
    }

    public static string Cut(string text, int width) => text.Length <= width ? text : $"{text[..Math.Max(0, width - 1)]}…";

    // Too narrow even for the columns that stay: the longest gives way.
    private void Fit(List<int> shown, int[] widths, int limit)
    {
        int TooMuch() => shown.Sum(i => widths[i]) + (Gap * (shown.Count - 1)) - limit;
        while (TooMuch() > 0 && shown.MaxBy(i => columns[i].Rank) is var last && columns[last].Rank > 0)
            shown.Remove(last);
        if (TooMuch() > 0 && shown.FirstOrDefault(i => columns[i].Folds, -1) is var folding and >= 0)
            widths[folding] = Math.Max(LeastFold, widths[folding] - TooMuch());
        while (TooMuch() > 0 && shown.MaxBy(i => widths[i]) is var longest && widths[longest] > LeastCut)
            widths[longest]--;
    }

    private IEnumerable<string> Lines(string[] row, List<int> shown, int[] widths, bool colours)
    {
        var folding = shown.FirstOrDefault(i => columns[i].Folds && row[i].Length > widths[i], -1);
        var parts = folding < 0 ? [""] : Fold(row[folding], widths[folding]).ToList();
        for (var n = 0; n < parts.Count; n++)
            yield return Line(shown, widths, i => i == folding ? parts[n] : n == 0 ? row[i] : "", colours);
    }

    private static string Line(List<int> shown, int[] widths, Func<int, string> text, bool colours)
    {
        var cells = shown.Select(i => Paint(Cut(text(i), widths[i]), i == shown[^1] ? 0 : widths[i], colours));
        return string.Join("  ", cells).TrimEnd();
    }

    private static string Paint(string cell, int width, bool colours)
    {
        var colour = !colours ? 0 : cell switch
        {
            "running" or "ok" or "reachable" => Green,
            "failed" or "missing" or "removed" or "unusable" or "unreachable" => Red,
            "exited" or "stopped" or "soon" => Yellow,
            _ => cell.EndsWith("(flapping)", StringComparison.Ordinal) || cell.EndsWith("(unhealthy)", StringComparison.Ordinal) ? Red : 0,
        };
        return colour == 0 ? cell.PadRight(width) : $"\e[{colour}m{cell}\e[0m{new string(' ', Math.Max(0, width - cell.Length))}";
    }
}
