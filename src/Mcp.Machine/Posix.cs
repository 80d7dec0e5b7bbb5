using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Mcp.Machine;

/// <summary>The calls of the C library that .NET does not offer: here those about processes. Failures are IOExceptions with the errno's
/// text, unless a call says otherwise.</summary>
public static partial class Posix
{
    public const int TermSignal = 15;
    public const int KillSignal = 9;
    public const int StopSignal = 19;

    // fcntl.h
    private const int SetStatus = 4;
    private const int Append = 0x400;

    public static bool IsRoot => EffectiveUser() == 0;

    /// <summary>False: there is no such process.</summary>
    public static bool Signal(int process, int signal) => process > 0 && Kill(process, signal) == 0;

    /// <summary>Away from the terminal and the files of whoever started this process.</summary>
    public static void Detach()
    {
        _ = SetSession();
        using var nothing = File.OpenHandle("/dev/null", FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        for (var standard = 0; standard <= 2; standard++)
            _ = Duplicate(nothing, standard);
    }

    /// <summary>Becomes another program, in a session of its own, with its output in a file. Returns only if that program cannot be
    /// started.</summary>
    /// <returns>The errno.</returns>
    public static int Become(string program, ReadOnlySpan<string> arguments, SafeFileHandle output)
    {
        _ = SetSession();
        // Somebody may shorten the file.
        _ = SetFlags(output, SetStatus, Append);
        _ = Duplicate(output, 1);
        _ = Duplicate(output, 2);
        _ = Execute(program, [program, .. arguments, null]);
        return Marshal.GetLastPInvokeError();
    }

    /// <summary>For the libraries of this process, which do not see what .NET keeps of its environment.</summary>
    public static void SetVariable(string name, string value) => Check(SetEnvironment(name, value, overwrite: 1), $"cannot set {name}");

    public static void Check(int result, string what)
    {
        if (result < 0)
            throw Failure(what);
    }

    private static IOException Failure(string what)
    {
        var cause = new Win32Exception(Marshal.GetLastPInvokeError());
        return new IOException($"{what}: {cause.Message}", cause) { HResult = cause.NativeErrorCode };
    }

    [LibraryImport("libc", EntryPoint = "setsid")]
    private static partial int SetSession();

    [LibraryImport("libc", EntryPoint = "fcntl")]
    private static partial int SetFlags(SafeFileHandle file, int command, int flags);

    [LibraryImport("libc", EntryPoint = "dup2")]
    private static partial int Duplicate(SafeFileHandle from, int to);

    [LibraryImport("libc", EntryPoint = "execvp", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Execute(string program, string?[] arguments);

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int process, int signal);

    [LibraryImport("libc", EntryPoint = "setenv", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetEnvironment(string name, string value, int overwrite);

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint EffectiveUser();
}
