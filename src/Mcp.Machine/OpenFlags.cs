using System.Runtime.InteropServices;

namespace Mcp.Machine;

/// <summary>How a file is opened, as fcntl.h says it; two differ between architectures.</summary>
public static class OpenFlags
{
    private static readonly bool s_arm = RuntimeInformation.OSArchitecture == Architecture.Arm64;

    public const int ReadOnly = 0;
    public const int WriteOnly = 1;
    public const int ReadWrite = 2;
    public const int Create = 0x40;
    public const int Exclusive = 0x80;
    public const int NonBlocking = 0x800;
    public const int CloseOnExec = 0x80000;
    public const int PathOnly = 0x200000;
    public static readonly int Directory = s_arm ? 0x4000 : 0x10000;
    public static readonly int NoFollow = s_arm ? 0x8000 : 0x20000;
}
