using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using Mcp.Machine;
using Microsoft.Win32.SafeHandles;

namespace Mcp.Runtimes.Qemu.Network;

/// <summary>A TAP on a bridge, handed to QEMU as an open file: it is gone when QEMU is, however that ended.</summary>
internal sealed partial class BridgePort : IDisposable
{
    // linux/if_tun.h, linux/if.h
    private const uint SetInterface = 0x400454ca;
    private const short Tap = 2;
    private const short NoPacketInfo = 0x1000;
    private const int NameBytes = 16;
    private const int RequestBytes = 40;
    private readonly SafeFileHandle _tap;

    private BridgePort(SafeFileHandle tap) => _tap = tap;

    public IReadOnlyList<string> Arguments => ["-netdev", $"tap,id=net0,fd={_tap.DangerousGetHandle()}"];

    public static BridgePort Join(string bridge)
    {
        var tap = File.OpenHandle("/dev/net/tun", FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        try
        {
            var request = new byte[RequestBytes];
            Encoding.ASCII.GetBytes("mcp%d", request);
            MemoryMarshal.Write(request.AsSpan(NameBytes), (short)(Tap | NoPacketInfo));
            Posix.Check(Control(tap, SetInterface, request), "cannot make a TAP (the agent needs CAP_NET_ADMIN)");
            var name = Encoding.ASCII.GetString(request, 0, Array.IndexOf(request, (byte)0));
            // Isolated: VMs on the bridge do not see each other, only the host.
            Ip("link", "set", name, "master", bridge, "up");
            Ip("link", "set", name, "type", "bridge_slave", "isolated", "on");
            Posix.Inherit(tap);
            return new BridgePort(tap);
        }
        catch
        {
            tap.Dispose();
            throw;
        }
    }

    public void Dispose() => _tap.Dispose();

    private static void Ip(params string[] arguments)
    {
        using var ip = Process.Start(
            Programs.Start(Programs.Find("ip") ?? throw new IOException("there is no program ip (package iproute2)"), arguments))!;
        var errors = ip.StandardError.ReadToEnd();
        ip.WaitForExit();
        if (ip.ExitCode != 0)
            throw new IOException($"ip {string.Join(' ', arguments)}: {errors.Trim()}");
    }

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    private static partial int Control(SafeFileHandle file, nuint request, byte[] about);
}
