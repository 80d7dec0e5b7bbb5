using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Mcp.Model.Definition.Tree;

/// <summary>A tree as JSON, and back.</summary>
internal static class JsonTree
{
    private static readonly JsonWriterOptions s_plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static string Write(TableNode table) => Write(table, s_plain);

    /// <summary>For people, with a line break at its end.</summary>
    public static string WriteIndented(TableNode table) => Write(table, s_plain with { Indented = true, NewLine = "\n" }) + "\n";

    private static string Write(TableNode table, JsonWriterOptions options)
    {
        var bytes = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(bytes, options))
            Write(json, table);
        return Encoding.UTF8.GetString(bytes.WrittenSpan);
    }

    /// <exception cref="JsonException">It is not JSON, or no object.</exception>
    public static TableNode Read(string text)
    {
        using var document = JsonDocument.Parse(text);
        return document.RootElement.ValueKind == JsonValueKind.Object
            ? Table(document.RootElement)
            : throw new JsonException("it is not an object");
    }

    private static void Write(Utf8JsonWriter json, Node node)
    {
        switch (node)
        {
            case TextNode text:
                json.WriteStringValue(text.Value);
                break;
            case IntegerNode number:
                json.WriteNumberValue(number.Value);
                break;
            case BooleanNode truth:
                json.WriteBooleanValue(truth.Value);
                break;
            case ListNode list:
                json.WriteStartArray();
                foreach (var item in list.Items)
                    Write(json, item);
                json.WriteEndArray();
                break;
            case TableNode table:
                json.WriteStartObject();
                foreach (var (key, entry) in table.Entries)
                {
                    json.WritePropertyName(key);
                    Write(json, entry.Value);
                }

                json.WriteEndObject();
                break;
            case OtherNode other:
                WriteOther(json, other.Raw);
                break;
        }
    }

    // A fraction, or null. TOML has dates and infinities, too.
    private static void WriteOther(Utf8JsonWriter json, string raw)
    {
        try
        {
            using var value = JsonDocument.Parse(raw);
            value.RootElement.WriteTo(json);
        }
        catch (JsonException)
        {
            json.WriteStringValue(raw);
        }
    }

    private static Node Node(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => Table(value),
        JsonValueKind.Array => new ListNode(0, 0, [.. value.EnumerateArray().Select(Node)]),
        JsonValueKind.String => new TextNode(0, 0, value.GetString()!),
        JsonValueKind.True => new BooleanNode(0, 0, true),
        JsonValueKind.False => new BooleanNode(0, 0, false),
        JsonValueKind.Number when value.TryGetInt64(out var number) => new IntegerNode(0, 0, number),
        JsonValueKind.Number => new OtherNode(0, 0, "a number", value.GetRawText()),
        _ => new OtherNode(0, 0, "nothing", "null"),
    };

    // Of a member that stands twice the first counts: none of ours writes that.
    private static TableNode Table(JsonElement value)
    {
        var table = new TableNode(0, 0);
        foreach (var member in value.EnumerateObject())
            table.Entries.TryAdd(member.Name, new Entry(0, 0, Node(member.Value)));
        return table;
    }
}
