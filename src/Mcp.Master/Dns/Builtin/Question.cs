using System.Buffers.Binary;
using System.Net;

namespace Mcp.Master.Dns.Builtin;

/// <summary>What may be a question (RFC 1035 4.1.1): anything else is dropped without an answer, so that no two servers can answer each
/// other for ever, and nobody is flooded through us.</summary>
internal static class Question
{
    /// <summary>A header.</summary>
    public const int Shortest = 12;

    /// <summary>A name, EDNS options and a signature fit well.</summary>
    public const int Longest = 4096;

    private const int Response = 0x80;
    private const int OpcodeShift = 3;
    private const int OpcodeMask = 0xF;

    public static bool Is(ReadOnlySpan<byte> packet) =>
        packet.Length is >= Shortest and <= Longest
        && (packet[2] & Response) == 0
        && IsOpcode((packet[2] >> OpcodeShift) & OpcodeMask)
        && BinaryPrimitives.ReadUInt16BigEndian(packet[4..]) == 1;

    /// <summary>Nobody asks from port 0 or from where we answer.</summary>
    public static bool MayComeFrom(IPEndPoint source, IPEndPoint listen) =>
        source.Port != 0
            && !(source.Port == listen.Port && (source.Address.Equals(listen.Address) || IPAddress.IsLoopback(source.Address)));

    // Query; status, notify and update get "not implemented". Others are nobody's.
    private static bool IsOpcode(int opcode) => opcode is 0 or 2 or 4 or 5;
}
