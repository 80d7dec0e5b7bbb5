using System.Collections.Concurrent;
using Mcp.Model.Definition;
using Mcp.Model.Names;
using Route = Mcp.Model.Definition.Route;

namespace Mcp.Agent.Registry;

/// <summary>Component definitions as stored, read with the rules of their day; parsed once and kept, since the same few are read again and again.</summary>
internal static class StoredDefinition
{
    private const int Kept = 4096;
    private static readonly ConcurrentDictionary<string, StoredService> s_parsed = new();

    /// <exception cref="ServiceFileException">Damaged, or a newer version's value.</exception>
    public static ComponentDefinition Read(string text) => Parse(text).Definition.Components[0];

    /// <summary>The row's definition, and why no new instance may be made of it; empty: it may.</summary>
    public static (ComponentDefinition Definition, string Trouble) Read(ComponentRow row, Func<IReadOnlyList<Route>> routes)
    {
        try
        {
            var stored = Parse(row.Definition);
            var trouble = stored.UnknownKeys.Count == 0
                ? ""
                : $"another version of mcp-agent stored it, with keys that this one does not know: {string.Join(", ", stored.UnknownKeys.Select(Label.Clip))}";
            return (stored.Definition.Components[0], trouble);
        }
        catch (ServiceFileException e)
        {
            return (Outline(row, routes()), $"its stored definition cannot be read: {Label.Clip(e.Problems.Count > 0 ? e.Problems[0].ToString() : e.Message)}");
        }
    }

    private static StoredService Parse(string text)
    {
        if (s_parsed.Count > Kept)
            s_parsed.Clear();
        return s_parsed.GetOrAdd(text, static t => ServiceFile.ReadStored($"name = \"stored\"\n{t}", "registry") is { Definition.Components.Count: > 0 } stored
            ? stored
            : throw new ServiceFileException("registry", [new Problem(1, 1, "no component", "", "")]));
    }

    // What the columns say, so that it can be seen, stopped and removed.
    private static ComponentDefinition Outline(ComponentRow row, IReadOnlyList<Route> routes) => new()
    {
        Name = Label.Parse(row.Name),
        Image = ImageReference.TryParse(row.Image, out var image) ? image : ImageReference.Parse("localhost/unknown"),
        Runtime = Spellings.Runtimes.TryGetValue(row.Runtime, out var runtime) ? runtime : RuntimeKind.Container,
        Routes = routes,
    };
}
