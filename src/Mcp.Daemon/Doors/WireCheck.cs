using System.Buffers;
using Google.Protobuf.Reflection;

namespace Mcp.Daemon.Doors;

/// <summary>
/// A message of another program before it becomes objects. Two bytes on the wire can become an object of two hundred, so its length alone
/// bounds nothing. Never throws: what is broken is the parser's to refuse.
/// </summary>
/// <param name="Parts">Texts, messages and fields that we do not know, at any depth; counted no further than asked for.</param>
/// <param name="LongestText">In bytes.</param>
public readonly record struct WireCheck(int Parts, int LongestText)
{
    private const int Deepest = 20;

    // https://protobuf.dev/programming-guides/encoding/
    private const int Varint = 0;
    private const int Eight = 1;
    private const int Delimited = 2;
    private const int Four = 5;

    /// <param name="mostParts">No more are counted: the answer is that and one.</param>
    public static WireCheck Of(ReadOnlySequence<byte> message, MessageDescriptor descriptor, int mostParts)
    {
        var counted = new Counts(mostParts);
        counted.Walk(message.IsSingleSegment ? message.FirstSpan : message.ToArray(), descriptor, 0);
        return new WireCheck(counted.Parts, counted.LongestText);
    }

    private sealed class Counts(int most)
    {
        public int Parts { get; private set; }

        public int LongestText { get; private set; }

        public void Walk(ReadOnlySpan<byte> message, MessageDescriptor descriptor, int depth)
        {
            while (!message.IsEmpty && Parts <= most && Number(ref message, out var tag))
            {
                var field = descriptor.FindFieldByNumber((int)(tag >> 3));
                if (field is null)
                    Parts++;
                if (!Step(ref message, (int)tag & 7, out var content))
                    return;
                if (((int)tag & 7) != Delimited)
                    continue;
                Parts++;
                if (field?.FieldType == FieldType.Message && depth < Deepest)
                    Walk(content, field.MessageType, depth + 1);
                else if (field?.FieldType == FieldType.String)
                    LongestText = Math.Max(LongestText, content.Length);
            }
        }

        private static bool Step(ref ReadOnlySpan<byte> message, int kind, out ReadOnlySpan<byte> content)
        {
            content = default;
            var length = kind switch
            {
                Varint => Number(ref message, out _) ? 0UL : ulong.MaxValue,
                Eight => 8UL,
                Four => 4UL,
                Delimited => Number(ref message, out var told) ? told : ulong.MaxValue,
                _ => ulong.MaxValue,
            };
            if (length > (ulong)message.Length)
                return false;
            content = message[..(int)length];
            message = message[(int)length..];
            return true;
        }

        private static bool Number(ref ReadOnlySpan<byte> from, out ulong number)
        {
            number = 0;
            for (var i = 0; i < from.Length && i < 10; i++)
            {
                number |= (ulong)(from[i] & 0x7F) << (7 * i);
                if (from[i] >= 0x80)
                    continue;
                from = from[(i + 1)..];
                return true;
            }

            return false;
        }
    }
}
