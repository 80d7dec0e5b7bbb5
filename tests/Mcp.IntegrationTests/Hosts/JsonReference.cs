using System.Text.Json;
using System.Text.RegularExpressions;

namespace Mcp.IntegrationTests.Hosts;

/// <summary>What docs/json.md says of the output of one command.</summary>
internal sealed partial class JsonReference
{
    private readonly string _command;
    private readonly Dictionary<string, string> _kinds;

    private JsonReference(string command, Dictionary<string, string> kinds) => (_command, _kinds) = (command, kinds);

    /// <param name="line">The command with its arguments; the longest name that begins it counts.</param>
    public static JsonReference Of(string line)
    {
        var sections = File.ReadAllText(Path.Combine(Command.Repository, "docs", "json.md")).Split("\n## ").Skip(1);
        var (name, text) = sections.SelectMany(s => s.Split('\n')[0].Split(", ").Select(n => (Name: n, Text: s)))
            .Where(s => $"{line} ".StartsWith($"{s.Name} ", StringComparison.Ordinal))
            .MaxBy(s => s.Name.Length);
        Assert.True(name is not null, $"docs/json.md has no {line}");
        return new JsonReference(name, Row().Matches(text).ToDictionary(m => m.Groups[1].Value, m => m.Groups[2].Value));
    }

    public void Check(string json)
    {
        using var document = JsonDocument.Parse(json);
        Check(document.RootElement, "");
        // Those of the outermost object are always there.
        foreach (var field in _kinds.Keys.Select(k => k.Split('.')[0].Replace("[]", "", StringComparison.Ordinal)).Distinct())
            Assert.True(document.RootElement.TryGetProperty(field, out _), $"{_command} tells no {field}: {json}");
    }

    private void Check(JsonElement element, string path)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                foreach (var field in element.EnumerateObject())
                    Check(field.Value, path.Length == 0 ? field.Name : $"{path}.{field.Name}");
                break;
            case JsonValueKind.Array:
                foreach (var one in element.EnumerateArray())
                    Check(one, $"{path}[]");
                break;
            case JsonValueKind.Null:
                Assert.Contains(_kinds, k => k.Key == path || k.Key.StartsWith($"{path}.", StringComparison.Ordinal));
                break;
            default:
                Assert.True(_kinds.TryGetValue(path, out var kind), $"docs/json.md has no {path} of {_command}");
                Assert.True(IsOf(kind, element), $"{path} of {_command} is {element}, and no {kind}");
                break;
        }
    }

    private static bool IsOf(string kind, JsonElement element) => kind switch
    {
        "number" => element.ValueKind == JsonValueKind.Number,
        "true or false" => element.ValueKind is JsonValueKind.True or JsonValueKind.False,
        "time" => element.TryGetDateTimeOffset(out _),
        "text" or "bytes in base64" => element.ValueKind == JsonValueKind.String,
        _ => kind.Split(", ").Contains(element.GetString()),
    };

    [GeneratedRegex(@"^\| `([^`]+)` \| (.+) \|$", RegexOptions.Multiline)]
    private static partial Regex Row();
}
