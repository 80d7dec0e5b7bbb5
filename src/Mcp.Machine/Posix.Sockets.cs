using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Mcp.Machine;

/// <content>Open files sent to another process over a Unix socket, https://man7.org/linux/man-pages/man7/unix.7.html.</content>
public static partial class Posix
{
    // bits/socket.h
    private const int SocketLevel = 1;
    private const int PeerCredentials = 17;
    private const int Rights = 1;
    private const int CloseOnExecReceived = 0x40000000;
    private const int MostDescriptors = 64;

    public static int User => (int)EffectiveUser();

    /// <summary>Which process is at the other end of a connected Unix socket, 0 for one that cannot be seen from here, and whose it
    /// is.</summary>
    public static (int Process, int User) Peer(Socket socket)
    {
        Span<int> credentials = stackalloc int[3];
        socket.GetRawSocketOption(SocketLevel, PeerCredentials, MemoryMarshal.AsBytes(credentials));
        return (credentials[0], credentials[1]);
    }

    /// <summary>Gives the other process these open files, with one byte, by which it knows that there is something. Does not
    /// wait.</summary>
    public static unsafe void SendFiles(SafeHandle socket, IReadOnlyList<SafeHandle> files)
    {
        byte mark = 0;
        var length = sizeof(ControlHead) + (files.Count * sizeof(int));
        // As whole words, so that the head is where the kernel looks for it.
        var control = stackalloc nint[(length + sizeof(nint) - 1) / sizeof(nint)];
        *(ControlHead*)control = new ControlHead(length, SocketLevel, Rights);
        for (var i = 0; i < files.Count; i++)
            ((int*)((byte*)control + sizeof(ControlHead)))[i] = (int)files[i].DangerousGetHandle();
        var part = new Part(&mark, 1);
        var message = new Message { Parts = &part, PartCount = 1, Control = control, ControlLength = length };
        Check((int)SendMessage(socket, &message, 0), "cannot pass on a socket");
    }

    /// <summary>What <see cref="SendFiles"/> sent; empty: the other process is gone. Waits for it on a socket that waits.</summary>
    public static unsafe IReadOnlyList<nint> ReceiveFiles(SafeHandle socket)
    {
        byte mark = 0;
        const int Words = 2 + (MostDescriptors / 2);
        var control = stackalloc nint[Words];
        new Span<nint>(control, Words).Clear();
        var part = new Part(&mark, 1);
        var message = new Message { Parts = &part, PartCount = 1, Control = control, ControlLength = Words * sizeof(nint) };
        var read = (int)ReceiveMessage(socket, &message, CloseOnExecReceived);
        Check(read, "cannot take a socket");
        var head = *(ControlHead*)control;
        if (read == 0 || message.ControlLength < sizeof(ControlHead) || head.Level != SocketLevel || head.Kind != Rights)
            return [];
        var count = ((int)head.Length - sizeof(ControlHead)) / sizeof(int);
        var files = new ReadOnlySpan<int>((byte*)control + sizeof(ControlHead), count).ToArray();
        return [.. files.Select(f => (nint)f)];
    }

    [LibraryImport("libc", EntryPoint = "sendmsg", SetLastError = true)]
    private static unsafe partial nint SendMessage(SafeHandle socket, Message* message, int flags);

    [LibraryImport("libc", EntryPoint = "recvmsg", SetLastError = true)]
    private static unsafe partial nint ReceiveMessage(SafeHandle socket, Message* message, int flags);

    // struct iovec
    [StructLayout(LayoutKind.Sequential)]
    private readonly unsafe struct Part(byte* start, nint length)
    {
        public readonly byte* Start = start;
        public readonly nint Length = length;
    }

    // struct msghdr
    [StructLayout(LayoutKind.Sequential)]
    private unsafe struct Message
    {
        public nint Name;
        public int NameLength;
        public Part* Parts;
        public nint PartCount;
        public nint* Control;
        public nint ControlLength;
        public int Flags;
    }

    // struct cmsghdr
    [StructLayout(LayoutKind.Sequential)]
    private readonly struct ControlHead(nint length, int level, int kind)
    {
        public readonly nint Length = length;
        public readonly int Level = level;
        public readonly int Kind = kind;
    }
}
