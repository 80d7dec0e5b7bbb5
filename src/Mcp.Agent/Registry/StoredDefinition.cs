using System.Collections.Concurrent;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Model.Revisions;
using Route = Mcp.Model.Definition.Route;

namespace Mcp.Agent.Registry;

/// <summary>The definitions of rows; read once and kept, since the same few are asked for again and again.</summary>
internal static class StoredDefinition
{
    private const int Kept = 4096;
    private static readonly ConcurrentDictionary<string, ComponentDefinition> s_read = new();

    /// <summary>The row's definition, and why no new instance may be made of it; empty: it may.</summary>
    /// <param name="routes">What the registry knows of its routes.</param>
    public static (ComponentDefinition Definition, string Trouble) Read(ComponentRow row, Func<IReadOnlyList<Route>> routes)
    {
        try
        {
            var definition = Read(row.Definition);
            var unread = definition.UnreadKeys.Distinct().Select(Label.Clip).ToList();
            return unread.Count == 0
                ? (definition, "")
                : (definition with { Image = ImageOf(row) }, "another version of mcp-agent stored it, with keys that this one cannot "
                    + $"read: {string.Join(", ", unread)}");
        }
        catch (McpException e)
        {
            return (Outline(row, routes()), e.Message);
        }
    }

    private static ComponentDefinition Read(string body)
    {
        if (s_read.Count > Kept)
            s_read.Clear();
        return s_read.GetOrAdd(body, RevisionCodec.Component);
    }

    // What the columns say, so that it can be seen, stopped and removed.
    private static ComponentDefinition Outline(ComponentRow row, IReadOnlyList<Route> routes) => new()
    {
        Name = Label.Parse(row.Name),
        Image = ImageOf(row),
        Runtime = Spellings.Runtimes.TryGetValue(row.Runtime, out var runtime) ? runtime : RuntimeKind.Container,
        Routes = routes,
        Unread = Unread.Damaged(row.Definition),
    };

    private static ImageReference ImageOf(ComponentRow row) =>
        ImageReference.TryParse(row.Image, out var image) ? image : ImageReference.Parse("localhost/unknown");
}
