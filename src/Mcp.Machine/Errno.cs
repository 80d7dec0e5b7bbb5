namespace Mcp.Machine;

/// <summary>Why a call of the C library failed, as far as somebody decides by it: errno.h.</summary>
public static class Errno
{
    public const int Missing = 2;
    public const int Interrupted = 4;
    public const int Again = 11;
    public const int Exists = 17;
    public const int OtherDevice = 18;
    public const int NotDirectory = 20;
    public const int Invalid = 22;
    public const int Loop = 40;
}
