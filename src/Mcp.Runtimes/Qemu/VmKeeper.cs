using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Runtime.InteropServices;
using System.Text;
using Mcp.Machine;
using Mcp.Runtimes.Qemu.Control;
using Mcp.Runtimes.Qemu.Network;
using Mcp.Runtimes.Qemu.Qmp;

namespace Mcp.Runtimes.Qemu;

/// <summary>The small process between the agent and one VM, as conmon is for a container: starts QEMU, keeps its console and how it ended,
/// and lives on when the agent dies. QEMU dies with it (parent-death signal), so there is no VM without a keeper.</summary>
public static class VmKeeper
{
    private const int LastErrors = 2000;
    // What shells say of a program that was killed: 128 + SIGKILL.
    private const int KilledCode = 137;
    /// <summary>The disk that takes a microvm's exit code.</summary>
    public const string ExitDisk = "exit.img";
    private const int ExitDiskBytes = 4096;
    private static readonly TimeSpan s_lockLimit = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_lastWords = TimeSpan.FromSeconds(1);

    /// <summary>Becomes the keeper of the VM in a directory until it ends. Called on the main thread, since the death signal goes by the
    /// thread.</summary>
    public static int Become(string directory, string run, TimeProvider time)
    {
        Posix.Detach();
        var vm = new VmDirectory(directory);
        using var file = File.OpenHandle(vm["keeper.lock"], FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite);
        // Somebody who looks whether a keeper lives holds it for an instant; a keeper that lives, for longer than the limit.
        using (new Timer(_ => Environment.Exit(1), null, s_lockLimit, Timeout.InfiniteTimeSpan))
            Posix.Lock(file);
        RandomAccess.SetLength(file, 0);
        RandomAccess.Write(file, Encoding.ASCII.GetBytes(Environment.ProcessId.ToString(CultureInfo.InvariantCulture)), 0);
        // Whoever removes a VM has looked at the lock first: a record that is there now stays.
        if (vm.Record is not { } record)
            return 1;
        VmExit end;
        try
        {
            Forget(vm, record);
            var (code, reason) = Keep(vm, record, run, time);
            end = new VmExit(run, code, reason, time.GetUtcNow());
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            end = new VmExit(run, null, e.Message, time.GetUtcNow());
        }

        Try(() => vm.Write("exit.json", end, VmJson.Default.VmExit));
        return 0;
    }

    // Of the run before.
    private static void Forget(VmDirectory vm, VmRecord record)
    {
        string[] sockets =
        [
            QmpClient.CommandSocket,
            QmpClient.EventSocket,
            GuestChannel.SocketName,
            .. record.Beside.Select((_, i) => QemuCommandLine.VolumeSocket(i)),
        ];
        string[] left = [vm["exit.json"], vm["run.json"], .. sockets.Append(ExitDisk).Select(f => Path.Combine(vm.Machine, f))];
        foreach (var old in left)
            File.Delete(old);
        if (record.ExitFrom == ExitCodeFrom.Disk)
        {
            // New: what lies in the machine directory may be a trap of whoever broke out of a guest.
            using var disk = new FileStream(Path.Combine(vm.Machine, ExitDisk), FileMode.CreateNew);
            disk.SetLength(ExitDiskBytes);
        }

        if (record.User is { } user)
        {
            foreach (var own in record.Own.Select(f => Path.Combine(vm.Machine, f)).Append(vm.Machine))
                Posix.Owner(own, user.Uid, user.Gid);
        }
    }

    private static (int? Code, string Reason) Keep(VmDirectory vm, VmRecord record, string run, TimeProvider time)
    {
        using var forwarder = record.Forwards.Count > 0 ? new PortForwarder(record.Forwards, IPAddress.Parse(record.Address!)) : null;
        Try(() => vm.Group.Join(record.Limits));
        if (record.ReadOnly.Count > 0)
        {
            Posix.OwnMounts();
            foreach (var (name, source) in record.ReadOnly)
                Posix.BindReadOnly(source, Directory.CreateDirectory(vm[name]).FullName);
        }

        var volumes = new List<VolumeServer>();
        try
        {
            foreach (var (number, program) in record.Beside.Index())
                volumes.Add(VolumeServer.Start(program, vm.Machine, QemuCommandLine.VolumeSocket(number), record.User));
            return Run(vm, record, run, volumes, time);
        }
        finally
        {
            volumes.ForEach(v => v.Dispose());
        }
    }

    private static (int? Code, string Reason) Run(
        VmDirectory vm,
        VmRecord record,
        string run,
        List<VolumeServer> volumes,
        TimeProvider time)
    {
        // After the others are started: they must not inherit the port.
        using var network = record.Bridge is { } bridge ? BridgePort.Join(bridge) : null;
        using var qemu = Start(network is null ? record.Program : [.. record.Program, .. network.Arguments], vm.Machine);
        using var term = PosixSignalRegistration.Create(PosixSignal.SIGTERM, c =>
        {
            c.Cancel = true;
            qemu.Kill();
        });
        Try(() => vm.Write("run.json", new VmRun(run, qemu.Id, time.GetUtcNow()), VmJson.Default.VmRun));
        using var over = new CancellationTokenSource();
        var (reason, errors) = ((string?)null, "");
        var listening = Task.WhenAll(
            FollowAsync(vm.Machine, why => reason = why, over.Token),
            ErrorsAsync(qemu.StandardError, text => errors = text, over.Token));
        var serving = ServeAsync(volumes, qemu, over.Token);
        var console = new Thread(() => Console(qemu.StandardOutput.BaseStream, record.Log ?? vm.Path, record, time));
        console.Start();
        qemu.WaitForExit();
        console.Join();
        over.CancelAfter(s_lastWords);
        Await(Task.WhenAll(listening, serving));
        var (code, why) = Ended(vm, record, qemu.ExitCode, reason, errors);
        // What QEMU says of a volume whose program is gone leads nobody to the cause.
        return code is null or KilledCode && Failure(volumes) is { } failure
            ? (null, $"the program that shows its volumes to the guest ended: {failure}")
            : (code, why);
    }

    // A guest whose volume is gone hangs in it. QEMU, which lets go of the volumes first when it ends, has a moment to be done.
    private static async Task ServeAsync(List<VolumeServer> volumes, Process qemu, CancellationToken over)
    {
        if (volumes.Count == 0)
            return;
        using var limit = new CancellationTokenSource();
        await Task.WhenAny([.. volumes.Select(v => v.Ended), Task.Delay(Timeout.InfiniteTimeSpan, over)]);
        limit.CancelAfter(s_lastWords);
        await qemu.WaitForExitAsync(limit.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!qemu.HasExited)
            qemu.Kill();
    }

    private static string? Failure(List<VolumeServer> volumes)
    {
        string? failure = null;
        Await(FirstAsync());
        return failure;

        async Task FirstAsync()
        {
            foreach (var volume in volumes)
                failure ??= await volume.FailureAsync();
        }
    }

    // The keeper's main thread must not change: the death signal of what it started goes by it. So here a thread waits, and only here.
    private static void Await(Task task)
    {
#pragma warning disable VSTHRD002
        task.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing).GetAwaiter().GetResult();
#pragma warning restore VSTHRD002
    }

    private static (int? Code, string Reason) Ended(VmDirectory vm, VmRecord record, int status, string? reason, string errors)
    {
        var code = record.ExitFrom == ExitCodeFrom.Disk ? FromDisk(Path.Combine(vm.Machine, ExitDisk)) : status switch
        {
            // isa-debug-exit: (code << 1) | 1; 1 is also how QEMU itself fails, and then it says why. Above 128 are signals.
            < 128 when (status & 1) == 1 && (status > 1 || errors.Length == 0) => status >> 1,
            0 when reason is "guest-shutdown" => 0,
            _ => (int?)null,
        };
        if (code is not null)
            return (code, "");
        if (status > 128 || reason is "host-qmp-quit" or "host-signal")
        {
            var memory = vm.Group.RanOutOfMemory() ? $": it used more memory than its {record.Limits.MemoryBytes >> 20} MiB" : "";
            return (KilledCode, status > 128 ? $"QEMU was killed by signal {status - 128}{memory}" : "was killed");
        }

        if (status != 0)
            return (null, $"QEMU ended with status {status}: {(errors.Length > LastErrors ? errors[^LastErrors..] : errors)}");
        return (null, reason is "guest-panic" or "guest-reset"
            ? "the guest's kernel panicked or restarted the machine"
            : $"the guest ended without an exit code ({reason ?? "no reason"})");
    }

    private static int? FromDisk(string disk)
    {
        var bytes = new byte[ExitDiskBytes];
        using var file = File.OpenHandle(disk);
        var length = RandomAccess.Read(file, bytes, 0);
        var end = bytes.AsSpan(0, length).IndexOf((byte)'\n');
        return end > 0 && int.TryParse(bytes.AsSpan(0, end), NumberStyles.None, CultureInfo.InvariantCulture, out var code) ? code : null;
    }

    // Why QEMU ends, in its own words: guest-shutdown, guest-reset, host-qmp-quit, ...
    private static async Task FollowAsync(string directory, Action<string?> ends, CancellationToken ct)
    {
        try
        {
            while (!File.Exists(Path.Combine(directory, QmpClient.EventSocket)))
                await Task.Delay(10, ct);
            await using var monitor = await QmpClient.ConnectAsync(directory, QmpClient.EventSocket, ct);
            while (await monitor.EventAsync(ct) is var (name, about))
            {
                if (name == "SHUTDOWN" && about.TryGetProperty("reason", out var why))
                    ends(why.GetString());
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            // QEMU is gone.
        }
    }

    private static async Task ErrorsAsync(StreamReader from, Action<string> said, CancellationToken ct)
    {
        try
        {
            // A guest can make QEMU complain for as long as it runs.
            var last = "";
            var buffer = new char[LastErrors];
            for (int read; (read = await from.ReadAsync(buffer, ct)) > 0;)
            {
                last += new string(buffer, 0, read);
                last = last[^Math.Min(last.Length, LastErrors)..];
            }

            said(last.Trim());
        }
        catch (OperationCanceledException)
        {
            // Somebody else holds its error stream open.
        }
    }

    private static void Console(Stream serial, string directory, VmRecord record, TimeProvider time)
    {
        ConsoleWriter? writer = null;
        var buffer = new byte[16 * 1024];
        for (int read; (read = serial.Read(buffer)) > 0;)
            Try(() => (writer ??= new ConsoleWriter(directory, record, time)).Write(buffer.AsSpan(0, read)));
        Try(() => writer?.Dispose());
    }

    private static Process Start(IReadOnlyList<string> program, string directory)
    {
        var process = Process.Start(Programs.Start(program[0], program.Skip(1), directory))
            ?? throw new IOException($"{program[0]} did not start");
        process.StandardInput.Close();
        return process;
    }

    // A full disk, or a host without control groups, must not stop the guest: what cannot be written is lost, and the VM runs on.
    private static void Try(Action write)
    {
        try
        {
            write();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
        }
    }
}
