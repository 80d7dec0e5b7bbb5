using System.Text;
using Microsoft.Net.Http.Headers;

namespace Mcp.Agent.ProxyProcess.Passing;

/// <summary>How Connection headers are read: as Latin-1. Where one of close, keep-alive and upgrade is named, and no other of them, Kestrel
/// forgets all else that is named (HttpHeaders.ParseConnection), so that it would be passed on. Named together they are kept; close counts
/// then, so such a connection ends with its answer.</summary>
internal sealed class ConnectionNames : Encoding
{
    private const string Keeps = ", close, keep-alive";
    private static readonly Encoding s_names = new ConnectionNames();

    /// <summary>Of each header.</summary>
    public static Encoding Of(string header) => header == HeaderNames.Connection ? s_names : Latin1;

    public override int GetCharCount(byte[] bytes, int index, int count) => Length(bytes.AsSpan(index, count));

    public override int GetChars(byte[] bytes, int byteIndex, int byteCount, char[] chars, int charIndex)
    {
        var said = bytes.AsSpan(byteIndex, byteCount);
        var read = Latin1.GetChars(said, chars.AsSpan(charIndex));
        if (Length(said) > read)
            Keeps.CopyTo(chars.AsSpan(charIndex + read));
        return Length(said);
    }

    public override int GetMaxCharCount(int byteCount) => byteCount + Keeps.Length;

    public override int GetByteCount(char[] chars, int index, int count) => Latin1.GetByteCount(chars, index, count);

    public override int GetBytes(char[] chars, int charIndex, int charCount, byte[] bytes, int byteIndex) =>
        Latin1.GetBytes(chars, charIndex, charCount, bytes, byteIndex);

    public override int GetMaxByteCount(int charCount) => Latin1.GetMaxByteCount(charCount);

    private static int Length(ReadOnlySpan<byte> said) => said.Length + (NamesOthers(said) ? Keeps.Length : 0);

    private static bool NamesOthers(ReadOnlySpan<byte> said)
    {
        foreach (var range in said.Split((byte)','))
        {
            var name = said[range].Trim(" \t"u8);
            if (name.Length > 0 && !Is(name, "close"u8) && !Is(name, "keep-alive"u8) && !Is(name, "upgrade"u8))
                return true;
        }

        return false;
    }

    private static bool Is(ReadOnlySpan<byte> name, ReadOnlySpan<byte> other) => Ascii.EqualsIgnoreCase(name, other);
}
