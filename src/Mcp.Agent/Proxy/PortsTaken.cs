using System.Net;
using Mcp.Machine;

namespace Mcp.Agent.Proxy;

/// <summary>Which of the node proxy's addresses another program has.</summary>
internal static class PortsTaken
{
    /// <param name="except">The process of a proxy of ours, which would hand its own over.</param>
    /// <returns>For each that is taken a sentence: the address, its key in agent.toml, and who has it.</returns>
    public static IEnumerable<string> Of(AgentConfig config, int? except = null)
    {
        foreach (var (key, at) in Wanted(config))
        {
            if (TcpListeners.Holder(at, except) is { } holder)
                yield return $"{at} ({key} of agent.toml) is taken by {holder}";
        }
    }

    /// <summary>An address that cannot be listened on before the proxy that runs lets go of another one, such as 0.0.0.0:80 with
    /// 127.0.0.1:80. Null: there is none.</summary>
    /// <param name="held">Where that one listens; the same address is handed over.</param>
    public static IPEndPoint? Overlapping(AgentConfig config, IReadOnlyList<IPEndPoint> held) => Wanted(config)
        .Select(w => w.At)
        .FirstOrDefault(at => !held.Contains(at) && held.Any(h => TcpListeners.Clash(h, at)));

    /// <summary>Where the proxy is to listen, with the keys that say so.</summary>
    public static IEnumerable<(string Key, IPEndPoint At)> Wanted(AgentConfig config)
    {
        (string Key, IPEndPoint? At)[] all =
        [
            ("http in [proxy]", config.Proxy.Http),
            ("tls in [proxy]", config.Proxy.Tls),
            ("h2c in [proxy]", config.Proxy.H2c),
            ("overlay in [proxy]", config.Proxy.Overlay),
            ("http in [edge]", config.Edge?.Http),
            ("https in [edge]", config.Edge?.Https),
            ("metrics in [edge]", config.Edge?.Metrics),
        ];
        foreach (var (key, at) in all)
        {
            if (at is not null)
                yield return (key, at);
        }
    }
}
