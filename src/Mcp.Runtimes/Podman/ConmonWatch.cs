using System.Diagnostics;
using Mcp.Model.Errors;
using Mcp.Model.Instances;
using Mcp.Model.Names;

namespace Mcp.Runtimes.Podman;

/// <summary>Whether more can come into a container's log. While conmon, which writes it, lives, podman is not asked: a container that has
/// ended may still have lines on their way.</summary>
/// <param name="look">Asks podman. Null: there is no such container.</param>
/// <param name="container">As it was seen last.</param>
internal sealed class ConmonWatch(
    PodmanOptions options,
    Func<InstanceName, CancellationToken, Task<LibpodContainer?>> look,
    InstanceName name,
    LibpodContainer? container)
{
    // Where podman does not answer, or conmon cannot be seen.
    private static readonly TimeSpan s_again = TimeSpan.FromSeconds(1);
    private LibpodContainer? _container = container;
    private long _asked;

    public async ValueTask<bool> IsWritingAsync(CancellationToken ct)
    {
        if (IsConmonAlive())
            return true;
        if (_asked > 0 && Stopwatch.GetElapsedTime(_asked) < s_again)
            return true;
        _asked = Stopwatch.GetTimestamp();
        try
        {
            _container = await look(name, ct);
        }
        catch (Exception e) when (e is LibpodException or McpException or IOException)
        {
            // Nothing follows from that.
            return true;
        }

        var runs = _container?.State is { } state && PodmanStates.Of(state.Status) is InstanceState.Running or InstanceState.Paused;
        return IsConmonAlive() || (runs && !options.StartService);
    }

    private bool IsConmonAlive() => _container is { Id: { } id, State.ConmonPid: > 0 and var conmon } && IsConmon(conmon, id);

    // Its number may be another's by now.
    private static bool IsConmon(int process, string container)
    {
        try
        {
            return File.ReadAllText($"/proc/{process}/cmdline").Contains(container, StringComparison.Ordinal);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
