using System.Text.Json.Nodes;
using Mcp.Cli.Output;
using Mcp.Protocol.V1;

namespace Mcp.Cli.Commands;

/// <summary>What doctor says of one thing after the other. The result is ok, soon, note (something that nothing needs is not there), or
/// failed.</summary>
internal static class Checks
{
    private const string Failed = "failed";
    private const string Default = "container";

    /// <summary>In the words of service files.</summary>
    public static string Runtime(string name) => name == "podman" ? Default : name;

    /// <returns>The exit code.</returns>
    public static int Show(IReadOnlyList<string[]> checks, Printer printer)
    {
        var json = new JsonObject
        {
            ["checks"] = new JsonArray([.. checks.Select(c => (JsonNode)new JsonObject
            {
                ["result"] = c[0],
                ["check"] = c[1],
                ["detail"] = c[2],
            })]),
        };
        Column[] columns = ["RESULT", "CHECK", new("DETAIL", Folds: true)];
        printer.Show(json, new Table(columns, checks.Select(c => Array.ConvertAll(c, text => (Cell)text))), "");
        return checks.Any(c => c[0] == Failed) ? 1 : 0;
    }

    /// <summary>One that no component here asks for may be missing, as long as there is another one. The default one is asked for by
    /// the first service that comes, where there is none yet.</summary>
    public static IEnumerable<string[]> Of(IReadOnlyList<RuntimeStatus> runtimes, IEnumerable<ComponentStatus> components)
    {
        var asked = components.Select(c => c.Runtime).ToHashSet();
        var hasSome = runtimes.Any(r => r.Usable);
        foreach (var runtime in runtimes)
        {
            var name = Runtime(runtime.Name);
            var isNeeded = !hasSome || asked.Contains(name) || (asked.Count == 0 && name == Default);
            var result = runtime.Usable ? "ok" : isNeeded ? Failed : "note";
            var hint = result == "note"
                ? $"only needed for components with runtime = \"{name}\": {runtime.Hint}"
                : runtime.Hint;
            yield return [result, $"runtime {name}", runtime.Usable ? runtime.Version : $"{runtime.Reason} -> {hint}"];
        }
    }

    /// <summary>Of a node by what it told the master last: what is not well.</summary>
    public static IEnumerable<string[]> Bad(Node node, IEnumerable<ComponentStatus> components)
    {
        if (node.Facts is not { } facts)
            return [];
        string[] proxy = [Failed, "node proxy", facts.ProxyFault.Length > 0 ? facts.ProxyFault : "does not answer"];
        return Of(facts.Runtimes, components.Where(c => c.Node == node.Name))
            .Where(c => c[0] == Failed)
            .Concat(facts.Proxy ? [] : [proxy])
            .Select(c => new[] { c[0], $"node {node.Name}: {c[1]}", c[2] });
    }
}
