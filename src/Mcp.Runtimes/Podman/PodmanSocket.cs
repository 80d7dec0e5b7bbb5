using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using Mcp.Machine;
using Mcp.Model.Errors;

namespace Mcp.Runtimes.Podman;

/// <summary>Connects to podman's socket, starting `podman system service` where the agent has to do it itself, and again when it
/// died.</summary>
public sealed class PodmanSocket(PodmanOptions options) : IDisposable
{
    private static readonly TimeSpan s_startLimit = TimeSpan.FromSeconds(15);
    // What shells and launchers answer for a program that is not there.
    private const int NotStarted = 127;
    private readonly SemaphoreSlim _starting = new(1, 1);

    public async ValueTask<Stream> ConnectAsync(CancellationToken ct)
    {
        if (await TryConnectAsync(ct) is { } connected)
            return connected;
        if (!options.StartService)
            throw new IOException($"no podman listens on {options.Socket}");
        await _starting.WaitAsync(ct);
        try
        {
            return await TryConnectAsync(ct) ?? await StartAsync(ct);
        }
        finally
        {
            _starting.Release();
        }
    }

    /// <summary>Ends the service behind the socket; whoever connects next starts another one.</summary>
    /// <returns>False: there is none of ours.</returns>
    public async Task<bool> EndServiceAsync(CancellationToken ct)
    {
        if (!options.StartService)
            return false;
        await _starting.WaitAsync(ct);
        try
        {
            var services = Services();
            foreach (var service in services)
                Posix.Signal(service, Posix.KillSignal);
            if (services.Count > 0)
                File.Delete(options.Socket);
            return services.Count > 0;
        }
        finally
        {
            _starting.Release();
        }
    }

    public void Dispose() => _starting.Dispose();

    // Its socket is in its arguments, and nobody else's.
    private List<int> Services()
    {
        var found = new List<int>();
        foreach (var directory in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(directory), NumberStyles.None, CultureInfo.InvariantCulture, out var process))
                continue;
            try
            {
                var arguments = File.ReadAllText(Path.Combine(directory, "cmdline")).Split('\0');
                if (arguments.Contains("service") && arguments.Contains($"unix://{options.Socket}"))
                    found.Add(process);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // It has ended.
            }
        }

        return found;
    }

    private async Task<Stream> StartAsync(CancellationToken ct)
    {
        var directory = Path.GetDirectoryName(options.Socket)!;
        Directory.CreateDirectory(directory);
        File.Delete(options.Socket);
        // Detached: a Ctrl-C at the agent's terminal must not end podman in the middle of a call.
        var start = new ProcessStartInfo(options.Launcher[0]) { RedirectStandardInput = true, UseShellExecute = false };
        foreach (var argument in (IEnumerable<string>)[.. options.Launcher.Skip(1), "podman", .. options.ServiceArguments()])
            start.ArgumentList.Add(argument);
        foreach (var (name, value) in PodmanConf.Write(options.ContainersConf, directory))
            start.Environment[name] = value;
        using var process = Start(start);
        using var limit = new Within(s_startLimit, ct);
        try
        {
            while (true)
            {
                if (await TryConnectAsync(limit.Token) is { } connected)
                    return connected;
                if (process.HasExited)
                    throw Ended(process.ExitCode);
                await Task.Delay(20, limit.Token);
            }
        }
        catch (OperationCanceledException e) when (limit.IsOver)
        {
            throw new IOException($"podman system service does not answer {s_startLimit.TotalSeconds:0} s after its start", e);
        }
    }

    private static Exception Ended(int exitCode) => exitCode == NotStarted || !OnPath("podman")
        ? new McpException(ErrorCode.PodmanMissing, "podman cannot be started: there is no program podman", "install the package podman")
        : new IOException($"podman system service ended with exit code {exitCode}");

    private static bool OnPath(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(d => File.Exists(Path.Combine(d, program)));

    private static Process Start(ProcessStartInfo start)
    {
        try
        {
            var process = Process.Start(start) ?? throw new IOException("podman did not start");
            process.StandardInput.Close();
            return process;
        }
        catch (Win32Exception e)
        {
            throw new McpException(
                ErrorCode.PodmanMissing,
                $"podman cannot be started: {new Win32Exception(e.NativeErrorCode).Message}",
                "install the package podman",
                e);
        }
    }

    private async Task<Stream?> TryConnectAsync(CancellationToken ct)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(options.Socket), ct);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch (SocketException)
        {
            socket.Dispose();
            return null;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
