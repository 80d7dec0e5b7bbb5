using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using Mcp.Machine;

namespace Mcp.Runtimes.Qemu;

/// <summary>The program that shows one host directory to a guest, virtiofsd. It gets a socket that listens already, as an open file: QEMU
/// can connect at once, no path is too long for it, and it locks no file of its own, of which Debian's makes one for all sockets of the
/// same name on the machine.</summary>
internal sealed class VolumeServer : IDisposable
{
    private const int MostWords = 2000;
    private static readonly TimeSpan s_lastWords = TimeSpan.FromSeconds(1);
    private readonly Process _program;
    private readonly StringBuilder _said = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private VolumeServer(Process program)
    {
        _program = program;
        program.OutputDataReceived += Hear;
        program.ErrorDataReceived += Hear;
        program.Exited += (_, _) => _ended.TrySetResult();
        program.EnableRaisingEvents = true;
        program.BeginOutputReadLine();
        program.BeginErrorReadLine();
    }

    /// <summary>Completes when the program has ended, by itself or not.</summary>
    public Task Ended => _ended.Task;

    /// <param name="program">With its arguments; where it listens is added.</param>
    /// <param name="machine">The machine directory, in which QEMU finds the socket.</param>
    /// <param name="user">Who may connect beside root; null: nobody.</param>
    /// <exception cref="IOException">The socket cannot be made, or the program not be started.</exception>
    public static VolumeServer Start(IReadOnlyList<string> program, string machine, string socket, VmUser? user)
    {
        using var directory = Posix.Directory(machine);
        using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        var (made, path) = (Path.Combine(machine, $"{socket}.new"), Path.Combine(machine, socket));
        File.Delete(made);
        try
        {
            listener.Bind(new UnixDomainSocketEndPoint($"/proc/self/fd/{directory.DangerousGetHandle()}/{socket}.new"));
            listener.Listen(1);
        }
        catch (SocketException e)
        {
            throw new IOException($"cannot listen at {path}: {e.Message}", e);
        }

        if (user is not null)
            Posix.Owner(made, user.Uid, user.Gid);
        // A socket that is disposed takes the file with it that it was bound to.
        File.Move(made, path, overwrite: true);
        Posix.Inherit(listener.SafeHandle);
        var process = Process.Start(Programs.Start(program[0], Arguments(program, listener.SafeHandle.DangerousGetHandle()), machine))
            ?? throw new IOException($"{program[0]} did not start");
        process.StandardInput.Close();
        return new VolumeServer(process);
    }

    /// <summary>What a program of this kind ended with where it did not end well; null: it runs, or ended as it should.</summary>
    public async Task<string?> FailureAsync()
    {
        await Task.WhenAny(Ended, Task.Delay(s_lastWords));
        if (!Ended.IsCompleted || _program.ExitCode == 0)
            return null;
        using var limit = new CancellationTokenSource(s_lastWords);
        // A child of its own may hold its error stream open.
        await _program.WaitForExitAsync(limit.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        lock (_said)
            return _said.Length > 0 ? _said.ToString().Trim() : $"exit code {_program.ExitCode}";
    }

    public void Dispose()
    {
        _program.Kill();
        _program.Dispose();
    }

    // Records of before say where it should make a socket by itself.
    private static IEnumerable<string> Arguments(IReadOnlyList<string> program, nint listener) =>
        program.Skip(1).Where(a => !a.StartsWith("--socket-", StringComparison.Ordinal)).Append($"--fd={listener}");

    private void Hear(object _, DataReceivedEventArgs line)
    {
        lock (_said)
        {
            if (line.Data is { Length: > 0 } text && _said.Length + text.Length < MostWords)
                _said.AppendLine(text);
        }
    }
}
