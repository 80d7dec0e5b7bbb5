namespace Mcp.Runtimes.Podman;

/// <summary>How to reach podman.</summary>
public sealed record PodmanOptions
{
    /// <summary>Unix socket of the libpod API.</summary>
    public string Socket { get; init; } = "";

    /// <summary>True: no one else serves that socket, so start `podman system service` there.</summary>
    public bool StartService { get; init; } = true;

    /// <summary>podman's --root; null: podman's default. Lets several agents share a machine.</summary>
    public string? Root { get; init; }

    /// <summary>podman's --runroot; null: podman's default.</summary>
    public string? RunRoot { get; init; }

    /// <summary>A containers.conf for podman; null: podman's default.</summary>
    public string? ContainersConf { get; init; }

    /// <summary>Directory of the containers' logs; empty: podman keeps them, and removes them with the containers.</summary>
    public string Logs { get; init; } = "";

    /// <summary>A file of a log is closed at this size; the newest <see cref="Runtimes.Logs.LogFiles.Kept"/> of them are kept.</summary>
    public long LogBytes { get; init; } = 10 * 1024 * 1024;

    /// <summary>Time for one pull.</summary>
    public TimeSpan PullLimit { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>Program and arguments before podman's, that start it detached from this process and its terminal.</summary>
    public IReadOnlyList<string> Launcher { get; init; } = ["setsid"];

    /// <summary>With the socket of a service of its own, where nobody else serves one, and the containers' logs.</summary>
    /// <param name="state">The agent's directory.</param>
    public PodmanOptions In(string state, IReadOnlyList<string> launcher) =>
        this with
        {
            Socket = StartService ? Path.Combine(state, "podman.sock") : Socket,
            Launcher = launcher,
            Logs = Path.Combine(state, "logs", "podman"),
        };

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
