using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace Mcp.Agent.ProxyProcess;

internal enum HelloState { Incomplete, NotTls, Complete }

/// <summary>Reads the server name out of a TLS ClientHello (RFC 8446 4.1.2, RFC 6066 3), which may be split over records. Never
/// throws.</summary>
internal static class ClientHello
{
    /// <summary>A ClientHello that is longer is refused. Post-quantum key shares make about 2 KiB of it.</summary>
    public const int MaxBytes = 16 * 1024;

    private const byte HandshakeRecord = 22;
    private const byte ClientHelloMessage = 1;
    private const int ServerNameExtension = 0;
    private const int RecordHeader = 5;
    private const int MessageHeader = 4;

    /// <param name="name">Null: none was sent.</param>
    public static HelloState Read(ReadOnlySequence<byte> received, out string? name)
    {
        name = null;
        var bytes = received.Slice(0, Math.Min(received.Length, MaxBytes + RecordHeader)).ToArray();
        var message = new ArrayBufferWriter<byte>();
        for (var at = 0; at < bytes.Length;)
        {
            if (bytes[at] != HandshakeRecord || (at + 1 < bytes.Length && bytes[at + 1] != 3))
                return HelloState.NotTls;
            if (at + RecordHeader > bytes.Length)
                break;
            var length = BinaryPrimitives.ReadUInt16BigEndian(bytes.AsSpan(at + 3));
            if (length is 0 or > MaxBytes)
                return HelloState.NotTls;
            message.Write(bytes.AsSpan(at + RecordHeader, Math.Min(length, bytes.Length - at - RecordHeader)));
            at += RecordHeader + length;
            if (message.WrittenCount < MessageHeader)
                continue;
            var header = message.WrittenSpan;
            var needed = MessageHeader + ((header[1] << 16) | (header[2] << 8) | header[3]);
            if (header[0] != ClientHelloMessage || needed > MaxBytes)
                return HelloState.NotTls;
            if (message.WrittenCount >= needed)
                return ServerName(message.WrittenSpan[MessageHeader..needed], out name) ? HelloState.Complete : HelloState.NotTls;
        }

        return received.Length > MaxBytes ? HelloState.NotTls : HelloState.Incomplete;
    }

    private static bool ServerName(ReadOnlySpan<byte> hello, out string? name)
    {
        name = null;
        // Version and random, then three vectors that do not matter here: session, cipher suites, compression.
        if (!Skip(ref hello, 34) || !Vector(ref hello, 1, out _) || !Vector(ref hello, 2, out _) || !Vector(ref hello, 1, out _))
            return false;
        if (hello.IsEmpty)
            return true;
        if (!Vector(ref hello, 2, out var extensions))
            return false;
        while (extensions.Length >= 4)
        {
            var kind = BinaryPrimitives.ReadUInt16BigEndian(extensions);
            extensions = extensions[2..];
            if (!Vector(ref extensions, 2, out var content))
                return false;
            if (kind == ServerNameExtension)
                return HostName(content, out name);
        }

        return true;
    }

    private static bool HostName(ReadOnlySpan<byte> content, out string? name)
    {
        name = null;
        if (!Vector(ref content, 2, out var list) || list.IsEmpty || list[0] != 0)
            return false;
        list = list[1..];
        if (!Vector(ref list, 2, out var host) || host.IsEmpty || host.ContainsAnyExceptInRange((byte)0x21, (byte)0x7E))
            return false;
        name = Encoding.ASCII.GetString(host);
        return true;
    }

    private static bool Skip(ref ReadOnlySpan<byte> from, int count)
    {
        if (from.Length < count)
            return false;
        from = from[count..];
        return true;
    }

    /// <summary>Takes what a length of that many bytes precedes.</summary>
    private static bool Vector(ref ReadOnlySpan<byte> from, int lengthBytes, out ReadOnlySpan<byte> content)
    {
        content = default;
        if (from.Length < lengthBytes)
            return false;
        var length = lengthBytes == 1 ? from[0] : BinaryPrimitives.ReadUInt16BigEndian(from);
        from = from[lengthBytes..];
        if (from.Length < length)
            return false;
        content = from[..length];
        from = from[length..];
        return true;
    }
}
