namespace Mcp.Runtimes.Podman;

/// <summary>How to reach podman.</summary>
/// <param name="Socket">Unix socket of the libpod API.</param>
/// <param name="StartService">True: no one else serves that socket, so start `podman system service` there.</param>
/// <param name="Root">podman's --root; null: podman's default. Lets several agents share a machine.</param>
/// <param name="RunRoot">podman's --runroot; null: podman's default.</param>
/// <param name="ContainersConf">A containers.conf for podman; null: podman's default.</param>
/// <param name="PullLimit">Time for one pull.</param>
public sealed record PodmanOptions(
    string Socket,
    bool StartService,
    string? Root,
    string? RunRoot,
    string? ContainersConf,
    TimeSpan PullLimit)
{
    /// <summary>Program and arguments before podman's, that start it detached from this process and its terminal.</summary>
    public IReadOnlyList<string> Launcher { get; init; } = ["setsid"];

    public IReadOnlyList<string> ServiceArguments()
    {
        var arguments = new List<string>();
        if (Root is not null)
            arguments.AddRange(["--root", Root]);
        if (RunRoot is not null)
            arguments.AddRange(["--runroot", RunRoot]);
        // Idle after a minute without a request: a killed agent leaves no service behind.
        arguments.AddRange(["system", "service", "--time", "60", $"unix://{Socket}"]);
        return arguments;
    }
}
