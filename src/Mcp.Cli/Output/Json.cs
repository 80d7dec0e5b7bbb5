using System.Collections;
using System.Text.Json.Nodes;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;

namespace Mcp.Cli.Output;

/// <summary>Messages as JSON for programs: every field of a message, by its name in the contract; numbers as numbers, times as RFC 3339,
/// what is absent as null.</summary>
internal static class Json
{
    public static JsonObject Of(IMessage message)
    {
        var json = new JsonObject();
        foreach (var field in message.Descriptor.Fields.InDeclarationOrder())
            json[field.Name] = field.IsRepeated ? List(field, message) : Value(field, field.Accessor.GetValue(message));
        return json;
    }

    /// <summary>Null: there is none.</summary>
    public static JsonNode? Time(Timestamp? time) => time is null ? null : JsonValue.Create(Cell.Exactly(time, "yyyy-MM-ddTHH:mm:ss.FFFZ"));

    public static JsonArray Texts(IEnumerable<string> texts) => [.. texts.Select(t => (JsonNode)JsonValue.Create(t))];

    private static JsonArray List(FieldDescriptor field, IMessage message)
    {
        var list = new JsonArray();
        foreach (var value in (IList)field.Accessor.GetValue(message))
            list.Add(Value(field, value));
        return list;
    }

    private static JsonNode? Value(FieldDescriptor field, object? value) => value switch
    {
        null => null,
        string text => JsonValue.Create(text),
        bool known => JsonValue.Create(known),
        int number => JsonValue.Create(number),
        uint number => JsonValue.Create(number),
        long number => JsonValue.Create(number),
        double number => JsonValue.Create(number),
        ByteString bytes => JsonValue.Create(bytes.ToBase64()),
        Timestamp time => Time(time),
        IMessage message => Of(message),
        System.Enum kind => JsonValue.Create(field.EnumType.FindValueByNumber(Convert.ToInt32(kind, null))?.Name ?? ""),
        _ => throw new InvalidOperationException($"{field.FullName} is of a type that has no JSON"),
    };
}
