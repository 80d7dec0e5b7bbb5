using System.Net;
using System.Net.Sockets;
using Mcp.Agent.Registry;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Instances;
using Mcp.Model.Names;

namespace Mcp.Agent.Ports;

/// <summary>Gives instances host ports on 127.0.0.1 out of the node's range, and makes the spec that a runtime runs.</summary>
public sealed class PortAllocator(PortsTable ports, int first, int last)
{
    private int _next = Random.Shared.Next(first, last + 1);

    /// <summary>One host port for each port inside that a route or the health check needs and that has no fixed one on 127.0.0.1. Safe to
    /// repeat.</summary>
    /// <exception cref="McpException">ports.exhausted</exception>
    public void Allocate(InstanceName instance, ComponentDefinition component)
    {
        var has = ports.Of(instance).Select(p => p.Inside).ToHashSet();
        foreach (var inside in Needed(component).Where(p => !has.Contains(p)))
            AllocateOne(instance, inside);
    }

    public void Release(InstanceName instance) => ports.Release(instance);

    public void ReleaseAll(Label service) => ports.ReleaseAll(service);

    /// <param name="specHash">As it is or will be stored: never computed anew from what another version has stored.</param>
    public InstanceSpec Spec(InstanceName instance, ComponentDefinition component, string specHash)
    {
        var published = component.Ports.Concat(ports.Of(instance).Select(p => new FixedPort(FixedPorts.Loopback, p.HostPort, p.Inside)))
            .ToList();
        var env = new Dictionary<string, string>(component.Env);
        foreach (var route in component.Routes)
        {
            var port = component.Ports.FirstOrDefault(p => p.Instance == route.Port)?.Host ?? HostPort(instance, component, route.Port);
            var host = port.ToString(System.Globalization.CultureInfo.InvariantCulture);
            var inside = route.Port.ToString(System.Globalization.CultureInfo.InvariantCulture);
            var suffix = route.Name.Text.ToUpperInvariant().Replace('-', '_');
            env.TryAdd("PORT", inside);
            env.TryAdd("HOST_PORT", host);
            env.TryAdd($"PORT_{suffix}", inside);
            env.TryAdd($"HOST_PORT_{suffix}", host);
        }

        return new InstanceSpec(instance, component, specHash, env, published);
    }

    /// <summary>The port on 127.0.0.1 that leads to the port inside; 0: there is none. A fixed port on another address is not asked: what
    /// answers at that number on 127.0.0.1 may be another service's.</summary>
    public int HostPort(InstanceName instance, ComponentDefinition component, int inside)
    {
        if (component.Network == "host")
            return inside;
        return component.Ports.FirstOrDefault(p => p.Instance == inside && p.IsOnLoopback())?.Host
            ?? ports.Of(instance).FirstOrDefault(p => p.Inside == inside)?.HostPort
            ?? 0;
    }

    private static IEnumerable<int> Needed(ComponentDefinition component)
    {
        if (component.Network == "host")
            return [];
        var asked = component.Routes.Select(r => r.Port).Concat(component.Health?.Port is { } port ? [port] : []);
        return asked.Distinct().Except(component.Ports.Where(p => p.IsOnLoopback()).Select(p => p.Instance));
    }

    private void AllocateOne(InstanceName instance, int inside)
    {
        for (var tries = first; tries <= last; tries++)
        {
            var port = first + (int)((uint)Interlocked.Increment(ref _next) % (uint)(last - first + 1));
            if (IsFree(port) && ports.TryTake(instance, port, inside))
                return;
        }

        throw new McpException(ErrorCode.PortsExhausted, $"no free port in {first}-{last}", "widen ports in agent.toml");
    }

    private static bool IsFree(int port)
    {
        try
        {
            using var listener = new TcpListener(IPAddress.Loopback, port);
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
