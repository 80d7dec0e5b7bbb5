using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using Mcp.Machine;
using Mcp.Model.Errors;

namespace Mcp.Agent.Proxy;

/// <summary>Starts proxies. One that finds another takes its sockets over by itself, so this only waits.</summary>
internal sealed class ProxyStarter(AgentConfig config, ControlSockets sockets)
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(10);

    // On a busy machine; the old one serves meanwhile.
    private static readonly TimeSpan s_handoverLimit = TimeSpan.FromSeconds(25);

    /// <summary>Somebody listens at proxy.sock.</summary>
    public async Task<bool> AnswersAsync(CancellationToken ct)
    {
        try
        {
            await (await ControlSockets.ConnectAsync(config.ProxySocket, ct)).DisposeAsync();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    /// <summary>Starts one if there is none.</summary>
    /// <exception cref="McpException">proxy.start</exception>
    public async Task EnsureRunningAsync(CancellationToken ct)
    {
        if (await AnswersAsync(ct))
            return;
        using var process = Start();
        using var limit = new Within(s_limit, ct);
        while (!await AnswersAsync(limit.Token))
        {
            if (process.HasExited)
                throw Ended(process.ExitCode);
            await Task.Delay(10, limit.Token);
        }
    }

    /// <summary>Starts one beside the one that runs; returns when it has taken over.</summary>
    /// <exception cref="McpException">proxy.start: it has not, and has ended.</exception>
    public async Task TakeOverAsync(CancellationToken ct)
    {
        using var process = Start();
        using var limit = new Within(s_handoverLimit, ct);
        try
        {
            while (sockets.Leader != process.Id)
            {
                if (process.HasExited)
                    throw Ended(process.ExitCode);
                await Task.Delay(10, limit.Token);
            }
        }
        catch (OperationCanceledException) when (limit.IsOver)
        {
            process.Kill();
            var what = string.Create(CultureInfo.InvariantCulture, $"it was not ready within {s_handoverLimit.TotalSeconds} s");
            throw new McpException(ErrorCode.ProxyStart, what, $"{config.ProxyLog} may say why");
        }
    }

    private Process Start()
    {
        var launcher = Detached.Launcher(config.ProxyLog);
        var start = new ProcessStartInfo(launcher[0]) { RedirectStandardInput = true };
        foreach (var argument in (IEnumerable<string>)[.. launcher.Skip(1), Environment.ProcessPath!, "proxy", "--config", config.File])
            start.ArgumentList.Add(argument);
        // Measured with bench/peers/proxy: a request then costs a fifth less CPU.
        start.Environment["DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS"] = "1";
        start.Environment["DOTNET_ThreadPool_UnfairSemaphoreSpinLimit"] = "0";
        var process = Process.Start(start) ?? throw new McpException(ErrorCode.ProxyStart, "the node proxy did not start");
        process.StandardInput.Close();
        return process;
    }

    private McpException Ended(int exitCode)
    {
        if (PortsTaken.Of(config, except: sockets.Leader).ToList() is { Count: > 0 } taken)
        {
            return new McpException(
                ErrorCode.ProxyStart,
                $"the node proxy cannot listen: {string.Join("; ", taken)}",
                $"end that program, or write another address into {config.File}");
        }

        var what = string.Create(CultureInfo.InvariantCulture, $"the node proxy ended with exit code {exitCode}");
        return new McpException(ErrorCode.ProxyStart, what, $"{config.ProxyLog} says why");
    }
}
