using System.Net;

namespace Mcp.Model.Definition.Rules;

/// <summary>A fixed host port is asked for once, and on an address where the runtime can pass bytes.</summary>
public sealed class PortsRule : IDefinitionRule
{
    public IEnumerable<Problem> Check(ServiceDefinition service, Places places)
    {
        var twice = service.Components.SelectMany(c => c.Ports).GroupBy(p => p.Host).SelectMany(Clashes);
        foreach (var port in twice)
            yield return places.Problem(port, "a host port is asked for twice", FixedPorts.Format(port), "each host port once per address");
        foreach (var component in service.Components)
        {
            foreach (var port in component.Ports)
            {
                if (WhyDead(component, port) is var (why, instead))
                    yield return places.Problem(port, why, FixedPorts.Format(port), instead);
            }
        }
    }

    private static IEnumerable<FixedPort> Clashes(IGrouping<int, FixedPort> ports) =>
        ports.Any(p => p.Address is FixedPorts.EveryAddress or "::") ? ports.Skip(1) : ports.ToList().RepeatsBy(p => p.Address);

    private static (string Why, string Instead)? WhyDead(ComponentDefinition component, FixedPort port)
    {
        if (component.Network == "host")
        {
            return port.Host == port.Instance ? null
                : ("with network = \"host\" a port has the same number inside and "
                    + "outside", "leave ports out: what the program listens on is the host's");
        }

        if (!port.Address.Contains(':', StringComparison.Ordinal))
            return null;
        var address = IPAddress.Parse(port.Address);
        if (address.IsIPv4MappedToIPv6)
            return ("this is an IPv4 address written as IPv6", $"{address.MapToIPv4()}");
        if (component.Runtime != RuntimeKind.Container)
        {
            return component.Network == "bridge"
                ? null
                : ("QEMU's user network takes no IPv6 connections", "an IPv4 address, or network = \"bridge\"");
        }

        if (address.Equals(IPAddress.IPv6Any))
        {
            return ("a container cannot be published on [::]", "leave the address out: this is every address of the host, IPv6 too where "
                + "the container's network has it");
        }

        return IPAddress.IsLoopback(address) ? ("a container cannot be published on IPv6 loopback", "127.0.0.1") : null;
    }
}
