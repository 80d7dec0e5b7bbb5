using Mcp.Model.Definition;
using Mcp.Runtimes;
using Mcp.Runtimes.Images;
using Mcp.Runtimes.Podman;
using Mcp.Runtimes.Qemu;
using Mcp.Runtimes.Qemu.Network;

namespace Mcp.Agent.Deploy;

/// <summary>What runs the instances of each kind.</summary>
/// <param name="owned">Ended with it.</param>
public sealed class NodeRuntimes(IReadOnlyDictionary<RuntimeKind, IRuntime> byKind, params IReadOnlyList<IDisposable> owned) : IDisposable
{
    public IReadOnlyDictionary<RuntimeKind, IRuntime> ByKind => byKind;

    /// <summary>Where the images of each kind lie. Of a kind that has none nobody else can take them.</summary>
    public IReadOnlyDictionary<RuntimeKind, IImageStock> Stocks { get; init; } = new Dictionary<RuntimeKind, IImageStock>();

    /// <summary>podman and QEMU, as agent.toml has them.</summary>
    public static NodeRuntimes Of(AgentConfig config)
    {
        var podman = new PodmanRuntime(config.Podman);
        var bridge = new IsolatedBridge(config.Qemu.Bridge, config.Qemu.BridgeNetwork);
        var byKind = new Dictionary<RuntimeKind, IRuntime>
        {
            [RuntimeKind.Container] = podman,
            [RuntimeKind.Microvm] = QemuRuntime.Microvms(config.Qemu, bridge, podman.LocalImages),
            [RuntimeKind.Unikernel] = QemuRuntime.Unikernels(config.Qemu, bridge, podman.LocalImages),
        };
        var unpacked = new VmImages(config.Qemu);
        return new NodeRuntimes(byKind, podman, bridge)
        {
            Stocks = new Dictionary<RuntimeKind, IImageStock>
            {
                [RuntimeKind.Container] = podman.Stock,
                [RuntimeKind.Microvm] = unpacked,
                [RuntimeKind.Unikernel] = unpacked,
            },
        };
    }

    /// <summary>Sees to what runs behind them, until cancelled.</summary>
    /// <param name="replaced">Told what hung and was started anew.</param>
    public Task KeepAsync(Action<string> replaced, CancellationToken ct) =>
        Task.WhenAll(ByKind.Values.OfType<PodmanRuntime>().Select(p => p.KeepAsync(replaced, ct)));

    /// <summary>Sees to what they write, until cancelled, also where what runs behind them does not answer.</summary>
    public Task KeepLogsAsync(CancellationToken ct) => Task.WhenAll(ByKind.Values.OfType<PodmanRuntime>().Select(p => p.KeepLogsAsync(ct)));

    public void Dispose()
    {
        foreach (var part in owned)
            part.Dispose();
    }
}
