using System.Collections.Concurrent;
using System.Text.Json;
using Mcp.Machine;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Names;

namespace Mcp.Runtimes.Podman;

/// <summary>Runs programs inside containers. podman ends none of them when nobody listens any more, and has no call for it: so what is over
/// its limit is ended here, with what it has started, and what an agent of before has left behind, before the next one begins.</summary>
internal sealed class PodmanExec(LibpodClient client)
{
    private const int MostOutput = 64 * 1024;
    private static readonly TimeSpan s_createLimit = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan s_endLimit = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_lookAgain = TimeSpan.FromMilliseconds(50);
    private const int MostEnded = 10_000;
    private readonly ConcurrentDictionary<string, bool> _underway = new();
    private readonly ConcurrentDictionary<string, bool> _ended = new();

    /// <exception cref="McpException">program.hangs</exception>
    public async Task<(int ExitCode, string Output)> RunAsync(
        InstanceName name,
        IReadOnlyList<string> command,
        TimeSpan limit,
        CancellationToken ct)
    {
        await EndLeftAsync(name, command, limit, ct);
        using var over = new Within(limit, ct);
        try
        {
            return await AskAsync(name, command, over.Token);
        }
        catch (OperationCanceledException e) when (over.IsOver)
        {
            var what = $"{Label.Clip(command[0])} in {name} did not end within {Durations.Format(limit)}";
            throw new McpException(ErrorCode.ProgramHangs, what, "", e);
        }
        catch (IOException e)
        {
            throw new LibpodException(0, $"podman's answer cannot be read: {e.Message}", e);
        }
    }

    private async Task<(int ExitCode, string Output)> AskAsync(InstanceName name, IReadOnlyList<string> command, CancellationToken ct)
    {
        var request = new LibpodExecCreate(command, true, true);
        var path = $"/containers/{name}/exec";
        var answer = await client.PostAsync(path, request, LibpodJson.Default.LibpodExecCreate, s_createLimit, ct);
        var id = JsonSerializer.Deserialize(answer, LibpodJson.Default.LibpodExecCreated)?.Id
            ?? throw new LibpodException(0, "podman gave no id");
        var hasEnded = false;
        _underway[id] = true;
        try
        {
            var start = new LibpodExecStart(false, false);
            using var response = await client.StreamAsync($"/exec/{id}/start", start, LibpodJson.Default.LibpodExecStart, ct);
            await using var stream = await response.Content.ReadAsStreamAsync(ct);
            var output = await LibpodStreams.OutputAsync(stream, MostOutput, ct);
            var state = await StateAsync(id, ct);
            hasEnded = state is not { Running: true };
            return (state?.ExitCode ?? -1, output);
        }
        finally
        {
            if (!hasEnded)
                await EndAsync(name, id);
            if (hasEnded)
                Ended(id);
            _underway.TryRemove(id, out _);
        }
    }

    private void Ended(string id)
    {
        if (_ended.Count >= MostEnded)
            _ended.Clear();
        _ended[id] = true;
    }

    // What runs longer than it may, and nobody here waits for: an agent that was killed has asked, or it could not be ended.
    private async Task EndLeftAsync(InstanceName name, IReadOnlyList<string> command, TimeSpan limit, CancellationToken ct)
    {
        // podman goes on naming those that have ended.
        foreach (var id in ((await LookAsync(name, ct))?.ExecIDs ?? []).Where(i => !_underway.ContainsKey(i) && !_ended.ContainsKey(i)))
        {
            var last = await StateAsync(id, ct);
            if (last is not { Running: true })
                Ended(id);
            if (last is { Running: true, ProcessConfig: { } program } state
                && command.SequenceEqual([program.Entrypoint ?? "", .. program.Arguments ?? []])
                && ProcessTree.Age(state.Pid) > limit
                && !await EndAsync(name, id))
            {
                var what = $"the last {Label.Clip(command[0])} in {name} still runs after its time, and cannot be ended";
                throw new McpException(ErrorCode.ProgramHangs, what, $"end process {state.Pid} on the node");
            }
        }
    }

    // Also for a caller that has gone. False: it may still run.
    private async Task<bool> EndAsync(InstanceName name, string id)
    {
        using var limit = new CancellationTokenSource(s_endLimit);
        try
        {
            // It may have been asked for, and not have begun yet.
            while (await StateAsync(id, limit.Token) is { CanRemove: false } state)
            {
                if (state is { Running: true, Pid: > 0 } && await LookAsync(name, limit.Token) is { State.Pid: > 0 and var init })
                    Kill(state.Pid, init);
                await Task.Delay(s_lookAgain, limit.Token);
            }

            return true;
        }
        catch (Exception e) when (e is LibpodException or McpException or OperationCanceledException)
        {
            return false;
        }
    }

    // Numbers are given anew: it must be inside the container, and the container must not share the node's processes. What the container
    // itself started has its parent inside, too.
    private static void Kill(int process, int init)
    {
        var inside = TcpListeners.Link($"/proc/{init}/ns/pid");
        if (process != init
            && inside is not null
            && inside != TcpListeners.Link("/proc/self/ns/pid")
            && inside == TcpListeners.Link($"/proc/{process}/ns/pid")
            && inside != TcpListeners.Link($"/proc/{ProcessTree.Parent(process)}/ns/pid"))
        {
            ProcessTree.Kill(process);
        }
    }

    private Task<LibpodExecState?> StateAsync(string id, CancellationToken ct) =>
        client.GetAsync($"/exec/{id}/json", LibpodJson.Default.LibpodExecState, ct);

    private Task<LibpodContainer?> LookAsync(InstanceName name, CancellationToken ct) =>
        client.GetAsync($"/containers/{name}/json", LibpodJson.Default.LibpodContainer, ct);
}
