using System.Text;
using Mcp.Model.Definition.Toml;

namespace Mcp.Model.Definition.Keys;

/// <summary>A TOML file of known keys, read strictly: every mistake is told at once, with line and column.</summary>
internal static class KeyFile
{
    public const int MaxBytes = 1024 * 1024;

    /// <param name="rules">What is wrong with values that fit their keys.</param>
    /// <exception cref="ServiceFileException">The text has mistakes; lists every one. Nothing else is thrown, whatever the
    /// text.</exception>
    public static TPart Read<TPart>(
        string text,
        string file,
        KeyTable<TPart> keys,
        Func<TPart, Places, IEnumerable<Problem>> rules)
        where TPart : class
    {
        if (text.Length > MaxBytes || Encoding.UTF8.GetByteCount(text) > MaxBytes)
            throw new ServiceFileException(file, [new Problem(1, 1, "the file is too large", "", "at most 1 MiB")]);
        var problems = new List<Problem>();
        var places = new Places();
        var table = TomlReader.Read(text, problems);
        if (problems.Count == 0)
        {
            var part = keys.Read(table, new Reading(problems, places, isStored: false));
            problems.AddRange(rules(part, places));
            if (problems.Count == 0)
                return part;
        }

        throw new ServiceFileException(file, [.. problems.Distinct().OrderBy(p => p.Line).ThenBy(p => p.Column)]);
    }
}
