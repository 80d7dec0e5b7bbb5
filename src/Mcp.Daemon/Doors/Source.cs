using System.Net;

namespace Mcp.Daemon.Doors;

/// <summary>
/// Whom limits for each source take for one: an IPv4 address, or the first 64 bits of an IPv6 address, as whoever has one of those has them
/// all. A private IPv6 address (fc00::/7) is one by itself: all machines of a private network share a few times 64 bits.
/// </summary>
public static class Source
{
    private const int PrefixBytes = 8;
    private const int AddressBytes = 16;

    public static IPAddress Of(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6)
            return address.MapToIPv4();
        Span<byte> bytes = stackalloc byte[AddressBytes];
        if (!address.TryWriteBytes(bytes, out var written)
            || written != AddressBytes
            || IPAddress.IsLoopback(address)
            || address.IsIPv6UniqueLocal)
        {
            return address;
        }

        bytes[PrefixBytes..].Clear();
        return new IPAddress(bytes);
    }
}
