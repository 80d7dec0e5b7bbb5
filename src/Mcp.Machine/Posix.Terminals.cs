using System.Runtime.InteropServices;

namespace Mcp.Machine;

/// <content>What is known of the other end of an open file: a pipe's reader, a terminal's size.</content>
public static partial class Posix
{
    // poll.h: told whether asked for or not.
    private const short Failed = 0x8;
    private const short HungUp = 0x10;

    // asm-generic/ioctls.h, errno.h
    private const nuint WindowSize = 0x5413;
    private const int Interrupted = 4;
    private const int TryAgain = 11;
    private const int BrokenPipe = 32;
    private const short Room = 0x4;

    /// <summary>Returns when nobody is left who reads what this pipe or socket is given; never for files. Blocks its thread.</summary>
    /// <param name="file">Open for writing.</param>
    /// <returns>False: it cannot be known.</returns>
    public static bool AwaitReaderGone(int file)
    {
        var asked = new PollFile { File = file };
        while (true)
        {
            if (Poll(ref asked, 1, -1) > 0)
                return (asked.Returned & (Failed | HungUp)) != 0;
            if (Marshal.GetLastPInvokeError() != Interrupted)
                return false;
        }
    }

    /// <summary>All of it, where the file stands. What nobody reads any more is dropped.</summary>
    /// <exception cref="IOException">It cannot be written, such as on a full disk.</exception>
    public static void WriteAll(int file, ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            var written = Write(file, ref MemoryMarshal.GetReference(bytes), (nuint)bytes.Length);
            if (written >= 0)
                bytes = bytes[(int)written..];
            else if (Marshal.GetLastPInvokeError() is var error && error == BrokenPipe)
                return;
            else if (error == TryAgain)
                _ = AwaitRoom(file);
            else if (error != Interrupted)
                throw Failure("the output cannot be written");
        }
    }

    /// <summary>Null: it is no terminal, or one that does not know.</summary>
    public static (int Columns, int Rows)? TerminalSize(int file)
    {
        var size = new TerminalWindow();
        return Control(file, WindowSize, ref size) == 0 && size is { Columns: > 0, Rows: > 0 } ? (size.Columns, size.Rows) : null;
    }

    // Somebody else has made it non-blocking.
    private static int AwaitRoom(int file)
    {
        var asked = new PollFile { File = file, Asked = Room };
        return Poll(ref asked, 1, -1);
    }

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static partial nint Write(int file, ref byte bytes, nuint count);

    [LibraryImport("libc", EntryPoint = "poll", SetLastError = true)]
    private static partial int Poll(ref PollFile files, nuint count, int milliseconds);

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    private static partial int Control(int file, nuint request, ref TerminalWindow size);

    [StructLayout(LayoutKind.Sequential)]
    private struct PollFile
    {
        public int File;
        public short Asked;
        public short Returned;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct TerminalWindow
    {
        public ushort Rows;
        public ushort Columns;
        public ushort Width;
        public ushort Height;
    }
}
