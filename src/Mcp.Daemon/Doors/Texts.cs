using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace Mcp.Daemon.Doors;

/// <summary>Texts of other programs, which may be as long as they like.</summary>
public static class Texts
{
    /// <summary>Of a detail, an error, a step's name; in UTF-16 code units.</summary>
    public const int Longest = 4096;

    private const string Mark = "... (cut)";

    public static string Cut(string text, int longest = Longest) =>
        text.Length <= longest ? text : $"{text.AsSpan(0, longest - Mark.Length)}{Mark}";

    /// <summary>Cuts every text in a message, and in the messages in it.</summary>
    public static void CutIn(IMessage message, int longest)
    {
        foreach (var field in message.Descriptor.Fields.InFieldNumberOrder())
        {
            var value = field.Accessor.GetValue(message);
            if (field.IsRepeated && !field.IsMap)
                CutIn((System.Collections.IList)value, field, longest);
            else if (value is IMessage inner)
                CutIn(inner, longest);
            else if (value is string text && text.Length > longest)
                field.Accessor.SetValue(message, Cut(text, longest));
        }
    }

    private static void CutIn(System.Collections.IList values, FieldDescriptor field, int longest)
    {
        for (var i = 0; i < values.Count; i++)
        {
            if (field.FieldType == FieldType.Message)
                CutIn((IMessage)values[i]!, longest);
            else if (values[i] is string text && text.Length > longest)
                values[i] = Cut(text, longest);
        }
    }
}
