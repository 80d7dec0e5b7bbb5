using System.Globalization;
using System.Net;
using Mcp.Model.Definition;

namespace Mcp.Runtimes.Qemu.Network;

/// <summary>What a guest must know of its network.</summary>
/// <param name="Bridge">Null: QEMU's user-mode network.</param>
/// <param name="Gateway">Null: no way off the network.</param>
internal sealed record GuestNetwork(IPAddress Address, int PrefixLength, IPAddress? Gateway, IPAddress? NameServer, string? Bridge)
{
    /// <summary>QEMU's own: https://wiki.qemu.org/Documentation/Networking#User_Networking_(SLIRP)</summary>
    public static readonly GuestNetwork User = new(
        IPAddress.Parse("10.0.2.15"),
        24,
        IPAddress.Parse("10.0.2.2"),
        IPAddress.Parse("10.0.2.3"),
        null);

    public string Mask => new IPAddress(IPAddress.HostToNetworkOrder(-1 << (32 - PrefixLength)) & 0xffffffffL).ToString();

    /// <summary>Follows from the address, so that no two guests on a bridge have the same.</summary>
    public string Mac => $"52:54:{string.Join(':', Address.GetAddressBytes().Select(b => b.ToString("x2", CultureInfo.InvariantCulture)))}";

    /// <summary>The back end; a bridge's is added by the keeper, which has its file.</summary>
    public IReadOnlyList<string> Arguments(IReadOnlyList<FixedPort> ports) => Bridge is not null ? []
        :
        [
            "-netdev",
            string.Join(',', ports.Select(p => $"hostfwd=tcp:{p.Address}:{p.Host}-:{p.Instance}").Prepend("user,id=net0,ipv6=off"))
        ];
}
