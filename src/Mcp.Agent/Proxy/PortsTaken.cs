using System.Net;
using Mcp.Machine;

namespace Mcp.Agent.Proxy;

/// <summary>Which of the node proxy's addresses another program has.</summary>
internal static class PortsTaken
{
    /// <returns>For each that is taken a sentence: the address, its key in agent.toml, and who has it.</returns>
    public static IEnumerable<string> Of(AgentConfig config)
    {
        (string Key, IPEndPoint? At)[] wanted =
        [
            ("http in [proxy]", config.Proxy.Http),
            ("tls in [proxy]", config.Proxy.Tls),
            ("h2c in [proxy]", config.Proxy.H2c),
            ("overlay in [proxy]", config.Proxy.Overlay),
            ("http in [edge]", config.Edge?.Http),
            ("https in [edge]", config.Edge?.Https),
            ("metrics in [edge]", config.Edge?.Metrics),
        ];
        foreach (var (key, at) in wanted)
        {
            if (at is not null && TcpListeners.Holder(at) is { } holder)
                yield return $"{at} ({key} of agent.toml) is taken by {holder}";
        }
    }
}
