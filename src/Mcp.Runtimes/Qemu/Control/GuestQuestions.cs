using System.Net.Sockets;
using System.Text;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Runtimes.Qemu.Guests.Linux;

namespace Mcp.Runtimes.Qemu.Control;

/// <summary>What is asked of the inside of VMs, of those that have a channel and of those that have none.</summary>
internal sealed class GuestQuestions
{
    private readonly GuestChannels _channels = new();

    /// <exception cref="McpException">exec.unsupported, guest.silent, program.hangs</exception>
    public async Task<(int ExitCode, string Output)> ExecAsync(
        VmDirectory vm,
        IReadOnlyList<string> command,
        TimeSpan limit,
        CancellationToken ct)
    {
        var (name, text) = (Path.GetFileName(vm.Path), GuestScript.Exec(command));
        if (WhyNot(vm, text) is var (why, hint))
            throw new McpException(ErrorCode.ExecUnsupported, $"no program can be run inside {name}: {why}", hint);
        var answer = await AskAsync(vm, channel => channel.RunAsync(text, limit, ct), ct);
        return answer.Code is { } code
            ? (code, Encoding.UTF8.GetString(answer.Output))
            : throw new McpException(
                ErrorCode.ProgramHangs,
                $"{Label.Clip(command[0])} in {name} did not end within {Durations.Format(limit)}");
    }

    /// <summary>Null: nobody can tell.</summary>
    /// <exception cref="McpException">guest.silent</exception>
    public async Task<bool?> ListensAsync(VmDirectory vm, int port, CancellationToken ct) => vm.Record switch
    {
        { Channel: > 0 } => await AskAsync(vm, channel => channel.ListensAsync(port, ct), ct),
        // On a bridge the guest itself says yes or no.
        { Address: { } address } => await AcceptsAsync(address, port, ct),
        _ => null,
    };

    private static (string Why, string Hint)? WhyNot(VmDirectory vm, string text)
    {
        if (vm.Record is not { } record)
            return ("there is no such instance", "mcp ps shows those that there are");
        // Of microvms the exit code comes from a disk.
        if (record.ExitFrom == ExitCodeFrom.Status)
            return ("it is a unikernel", "use an http or grpc health check");
        if (record.Channel == 0)
            return ("an older version of mcp started it", "replace it: mcp deploy FILE --force");
        return text.Length > GuestChannel.MostText
            ? ("its arguments are too long", $"all of them together may have {GuestChannel.MostText >> 10} KiB")
            : null;
    }

    private async Task<T> AskAsync<T>(VmDirectory vm, Func<GuestChannel, Task<T>> ask, CancellationToken ct)
    {
        try
        {
            return await _channels.AskAsync(vm.Machine, ask, ct);
        }
        catch (IOException e)
        {
            throw new McpException(
                ErrorCode.GuestSilent,
                $"{Path.GetFileName(vm.Path)} cannot be asked: {e.Message}",
                "does it run, and has it memory left? mcp ps and mcp logs say",
                e);
        }
    }

    private static async Task<bool> AcceptsAsync(string address, int port, CancellationToken ct)
    {
        using var client = new TcpClient();
        try
        {
            await client.ConnectAsync(address, port, ct);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
