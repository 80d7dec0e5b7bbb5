using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Mcp.Machine;

namespace Mcp.Agent.Proxy;

/// <summary>Asks the node proxy a real question each second, as its clients do. One that does not answer several times in a row hangs; one
/// that is only busy has more time.</summary>
internal sealed class ProxyWatch(AgentConfig config, ControlSockets sockets)
{
    private const int MostMisses = 3;
    private const int MostOfTheBusy = 10;
    private const int MostWithoutSocket = 2;
    private static readonly TimeSpan s_every = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_answer = TimeSpan.FromSeconds(1.5);

    // A question that is asked so late says more of this machine than of the proxy.
    private static readonly TimeSpan s_late = TimeSpan.FromSeconds(1);
    private static readonly byte[] s_question =
        Encoding.ASCII.GetBytes("GET / HTTP/1.1\r\nHost: agent.invalid\r\nConnection: close\r\n\r\n");

    /// <summary>Returns when it hangs.</summary>
    /// <returns>Why that is thought, for people.</returns>
    public async Task<string> HangsAsync(CancellationToken ct)
    {
        for (var (misses, gone, used) = (0, 0, CpuTime()); ;)
        {
            var began = TimeProvider.System.GetTimestamp();
            await Task.Delay(s_every, ct);
            var isLate = TimeProvider.System.GetElapsedTime(began) > s_every + s_late;
            gone = sockets.IsThere ? 0 : gone + 1;
            if (gone == MostWithoutSocket)
                return "its control socket was deleted";
            if (await AnswersAsync(ct) || isLate)
            {
                (misses, used) = (0, CpuTime());
                continue;
            }

            misses++;
            var isBusy = CpuTime() - used > (s_every + s_answer) * misses / 4;
            if (misses >= (isBusy ? MostOfTheBusy : MostMisses))
                return string.Create(CultureInfo.InvariantCulture, $"{config.Proxy.Http} did not answer {misses} times in a row");
        }
    }

    /// <summary>Ends it for good.</summary>
    public void Kill()
    {
        if (Process() is { } process)
            Kill(process);
    }

    /// <summary>The same of another proxy than the one that takes connections.</summary>
    public void Kill(int process)
    {
        if (sockets.IsProxy(process))
            Posix.Signal(process, Posix.KillSignal);
    }

    // A connection that is closed at once is an answer, too: it has as many as it may have.
    private async Task<bool> AnswersAsync(CancellationToken ct)
    {
        var at = config.Proxy.Http.Address;
        var address = at.Equals(IPAddress.Any) ? IPAddress.Loopback : at.Equals(IPAddress.IPv6Any) ? IPAddress.IPv6Loopback : at;
        using var limit = new Within(s_answer, ct);
        using var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(new IPEndPoint(address, config.Proxy.Http.Port), limit.Token);
        }
        catch (Exception e) when (e is SocketException || limit.IsOver)
        {
            return false;
        }

        try
        {
            await socket.SendAsync(s_question, limit.Token);
            _ = await socket.ReceiveAsync(new byte[1], limit.Token);
            return true;
        }
        catch (SocketException)
        {
            return true;
        }
        catch (OperationCanceledException) when (limit.IsOver)
        {
            return false;
        }
    }

    // Null: it is none of ours, or has ended.
    private int? Process()
    {
        try
        {
            var process = sockets.Leader ?? int.Parse(File.ReadAllText(config.ProxyPidFile), CultureInfo.InvariantCulture);
            return sockets.IsProxy(process) ? process : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException)
        {
            return null;
        }
    }

    // https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html: utime and stime, in hundredths of a second.
    private TimeSpan CpuTime()
    {
        try
        {
            var stat = Process() is { } process ? File.ReadAllText($"/proc/{process}/stat") : ")";
            var fields = stat[(stat.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
            return fields.Length < 13
                ? TimeSpan.Zero
                : TimeSpan.FromSeconds(fields[11..13].Sum(f => long.Parse(f, CultureInfo.InvariantCulture)) / 100.0);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return TimeSpan.Zero;
        }
    }
}
