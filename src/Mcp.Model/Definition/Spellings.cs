namespace Mcp.Model.Definition;

/// <summary>How our enums are written in service files, on the wire and in the registry.</summary>
public static class Spellings
{
    public static readonly IReadOnlyDictionary<string, Tier> Tiers = new Dictionary<string, Tier>
    {
        ["worker"] = Tier.Worker,
        ["core"] = Tier.Core,
    };

    public static readonly IReadOnlyDictionary<string, RuntimeKind> Runtimes = new Dictionary<string, RuntimeKind>
    { ["container"] = RuntimeKind.Container, ["unikernel"] = RuntimeKind.Unikernel, ["microvm"] = RuntimeKind.Microvm };

    public static readonly IReadOnlyDictionary<string, RestartPolicy> Restarts = new Dictionary<string, RestartPolicy>
    {
        ["no"] = RestartPolicy.No,
        ["on-failure"] = RestartPolicy.OnFailure,
        ["unless-stopped"] = RestartPolicy.UnlessStopped,
        ["always"] = RestartPolicy.Always,
    };

    public static readonly IReadOnlyDictionary<string, OnUnhealthy> Unhealthy = new Dictionary<string, OnUnhealthy>
    {
        ["restart"] = OnUnhealthy.Restart,
        ["report"] = OnUnhealthy.Report,
    };

    public static readonly IReadOnlyDictionary<string, RouteMode> Modes = new Dictionary<string, RouteMode>
    {
        ["l7"] = RouteMode.L7,
        ["l4"] = RouteMode.L4,
    };

    public static readonly IReadOnlyDictionary<string, PullPolicy> Pulls = new Dictionary<string, PullPolicy>
    {
        ["changed"] = PullPolicy.Changed,
        ["always"] = PullPolicy.Always,
        ["missing"] = PullPolicy.Missing,
    };

    public static readonly IReadOnlyDictionary<string, UpdateMode> Updates = new Dictionary<string, UpdateMode>
    {
        ["beside"] = UpdateMode.Beside,
        ["stop-first"] = UpdateMode.StopFirst,
    };

    public static readonly IReadOnlyDictionary<string, StopSignal> Signals = new Dictionary<string, StopSignal>
    {
        ["SIGTERM"] = StopSignal.Term,
        ["SIGINT"] = StopSignal.Int,
        ["SIGQUIT"] = StopSignal.Quit,
        ["SIGHUP"] = StopSignal.Hup,
        ["SIGUSR1"] = StopSignal.Usr1,
        ["SIGUSR2"] = StopSignal.Usr2,
        ["SIGWINCH"] = StopSignal.Winch,
        ["SIGRTMIN+3"] = StopSignal.RtMin3,
        ["SIGKILL"] = StopSignal.Kill,
    };

    public static string Spell<T>(this IReadOnlyDictionary<string, T> spellings, T value)
        where T : struct, Enum =>
        spellings.First(pair => EqualityComparer<T>.Default.Equals(pair.Value, value)).Key;
}
