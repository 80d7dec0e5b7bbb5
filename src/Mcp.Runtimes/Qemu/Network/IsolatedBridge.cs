using System.Globalization;
using System.Net;
using Mcp.Model.Errors;

namespace Mcp.Runtimes.Qemu.Network;

/// <summary>The node's bridge for VMs: static addresses out of a pool, and no route off it. What a guest sends to anywhere but the host
/// meets a rule that throws it away before any forwarding.</summary>
/// <param name="name">Of the bridge.</param>
/// <param name="network">The first three numbers of a /24 network; the host has .1.</param>
public sealed class IsolatedBridge(string name, string network) : IDisposable
{
    private const int RulePriority = 100;
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(10);
    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly Dictionary<string, IPAddress> _given = [];

    /// <summary>Makes the bridge where it is missing, and gives the VM an address that no other has.</summary>
    /// <param name="taken">Addresses of the VMs on record.</param>
    internal async Task<GuestNetwork> JoinAsync(string vm, IEnumerable<string> taken, CancellationToken ct)
    {
        await EnsureAsync(ct);
        lock (_given)
            return new GuestNetwork(_given[vm] = _given.GetValueOrDefault(vm) ?? Free(taken), 24, null, null, name);
    }

    /// <summary>Makes the bridge and its rules where they are missing, as after a boot.</summary>
    internal async Task EnsureAsync(CancellationToken ct)
    {
        await _turn.WaitAsync(ct);
        try
        {
            await MakeAsync(ct);
        }
        finally
        {
            _turn.Release();
        }
    }

    public void Dispose() => _turn.Dispose();

    internal void Leave(string vm)
    {
        lock (_given)
            _given.Remove(vm);
    }

    private IPAddress Free(IEnumerable<string> taken)
    {
        var used = taken.Concat(_given.Values.Select(a => a.ToString())).ToHashSet();
        return Enumerable.Range(2, 253)
            .Select(n => IPAddress.Parse(string.Create(CultureInfo.InvariantCulture, $"{network}.{n}")))
            .FirstOrDefault(a => !used.Contains(a.ToString()))
            ?? throw new McpException(
                ErrorCode.AddressesExhausted,
                $"no address is free on the bridge {name}",
                "253 VMs can be on it; use network = \"user\" for others");
    }

    private async Task MakeAsync(CancellationToken ct)
    {
        var ip = Programs.Find("ip")
            ?? throw new McpException(ErrorCode.NetworkBridge, "network = \"bridge\" needs the program ip", "install the package iproute2");
        if (!Directory.Exists($"/sys/class/net/{name}"))
        {
            await IpAsync(ip, ct, "link", "add", name, "type", "bridge");
            await IpAsync(ip, ct, "addr", "add", $"{network}.1/24", "dev", name);
        }

        await IpAsync(ip, ct, "link", "set", name, "up");
        foreach (var family in (string[])["-4", "-6"])
        {
            var (_, rules) = await Programs.RunAsync(Programs.Start(ip, [family, "rule", "show"]), s_limit, ct);
            if (!rules.Contains($"iif {name} ", StringComparison.Ordinal))
            {
                var priority = RulePriority.ToString(CultureInfo.InvariantCulture);
                await IpAsync(ip, ct, family, "rule", "add", "iif", name, "prohibit", "priority", priority);
            }
        }
    }

    private static async Task IpAsync(string ip, CancellationToken ct, params string[] arguments)
    {
        var (code, output) = await Programs.RunAsync(Programs.Start(ip, arguments), s_limit, ct);
        if (code != 0)
        {
            throw new McpException(
                ErrorCode.NetworkBridge,
                $"ip {string.Join(' ', arguments)} failed: {output}",
                "network = \"bridge\" needs an agent with CAP_NET_ADMIN; network = \"user\" needs nothing");
        }
    }
}
