using System.Collections.Concurrent;
using Mcp.Model.Definition;

namespace Mcp.Agent.Registry;

/// <summary>Component definitions as stored: canonical text, parsed once and kept, since the same few are read again and again.</summary>
internal static class StoredDefinition
{
    private const int Kept = 4096;
    private static readonly ConcurrentDictionary<string, ComponentDefinition> s_parsed = new();

    public static ComponentDefinition Read(string text)
    {
        if (s_parsed.Count > Kept)
            s_parsed.Clear();
        return s_parsed.GetOrAdd(text, static t => ServiceFile.Parse($"name = \"stored\"\n{t}", "registry").Components[0]);
    }
}
