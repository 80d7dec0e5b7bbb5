using System.Net;
using System.Net.Sockets;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Instances;

namespace Mcp.Runtimes;

/// <summary>What an instance takes from this host: directories and addresses.</summary>
internal static class HostSide
{
    /// <summary>Before anything is made of it.</summary>
    /// <param name="coming">Addresses that are there as soon as the instance is.</param>
    /// <exception cref="McpException">volume.missing, port.address: this host has no such directory, no such address.</exception>
    public static void Check(InstanceSpec spec, IReadOnlyCollection<string>? coming = null)
    {
        foreach (var volume in spec.Mounts.Where(v => !Path.Exists(v.Source)))
        {
            throw new McpException(
                ErrorCode.VolumeMissing,
                $"the volume's host path {volume.Source} does not exist",
                $"create it on the node: mkdir -p {volume.Source}");
        }

        var needed = spec.Ports.DistinctBy(p => p.Address).Where(p => coming?.Contains(p.Address) != true);
        foreach (var port in needed.Where(p => !IsHere(IPAddress.Parse(p.Address))))
        {
            throw new McpException(
                ErrorCode.PortAddress,
                $"{port.Address} of the port {FixedPorts.Format(port)} is not an address of this host",
                "ip addr shows those that are; without an address the port is published on all of them");
        }
    }

    private static bool IsHere(IPAddress address)
    {
        try
        {
            using var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(new IPEndPoint(address, 0));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
