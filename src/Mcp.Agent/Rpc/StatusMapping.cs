using System.Globalization;
using System.Net;
using Google.Protobuf.WellKnownTypes;
using Mcp.Agent.Edge;
using Mcp.Agent.Overview;
using Mcp.Agent.Reconcile;
using Mcp.Model.Definition;
using Mcp.Model.Drift;
using Mcp.Model.Health;
using Mcp.Model.Instances;
using Mcp.Model.Names;
using Mcp.Protocol.V1;
using Mcp.Runtimes;

namespace Mcp.Agent.Rpc;

/// <summary>What the node knows of itself, to wire messages.</summary>
internal static class StatusMapping
{
    public static NodeStatusReply ToWire(this NodeFacts facts, DateTimeOffset now)
    {
        var reply = new NodeStatusReply
        {
            Node = facts.Node.Text,
            Version = facts.Version,
            Zone = facts.Zone,
            Overlay = facts.Overlay ?? "",
            Edge = facts.IsEdge,
            Proxy = facts.ProxyAnswers,
            ProxyFault = facts.ProxyFault ?? "",
            Services = facts.Services,
            Architecture = facts.Machine.Architecture,
            Cpus = facts.Machine.Cpus,
            MemoryBytes = facts.Machine.MemoryBytes,
            MemoryFreeBytes = facts.Machine.MemoryFreeBytes,
            DiskBytes = facts.Machine.DiskBytes,
            DiskFreeBytes = facts.Machine.DiskFreeBytes,
            Load = facts.Machine.Load,
        };
        reply.Runtimes.AddRange(facts.Runtimes.Select(ToWire));
        reply.Disks.AddRange(facts.Disks.Select(ToWire));
        reply.Endings.AddRange(facts.Endings.Select(e => new Ending
        {
            What = e.What,
            End = e.End.ToTimestamp(),
            Near = e.IsNear(now),
            Hint = e.Hint,
        }));
        return reply;
    }

    public static StatusReply ToWire(this ServicesStatus status)
    {
        var reply = new StatusReply { Node = status.Node.Text };
        reply.Components.AddRange(status.Components.Select(ToWire));
        reply.Drift.AddRange(status.Drift.Select(ToWire));
        reply.Unreachable.AddRange(status.Silent.Select(s => s.ToWire(status.Node)));
        return reply;
    }

    public static NodeProblem ToWire(this RuntimeSight silent, Label node)
    {
        var told = silent.At is { } at
            ? string.Create(CultureInfo.InvariantCulture, $"last seen {at:yyyy-MM-dd HH:mm:ss}Z")
            : "never seen yet";
        return new NodeProblem { Node = node.Text, What = $"{silent.Runtime} on {node}: {silent.Silent?.Message}; {told}" };
    }

    public static Protocol.V1.EdgeRoute ToWire(this Model.Routes.EdgeRoute route, Label node, EdgeRoutes edge)
    {
        var told = new Protocol.V1.EdgeRoute
        {
            Hostname = route.Hostname.Text,
            Service = route.Service.Text,
            Backend = string.Create(CultureInfo.InvariantCulture, $"https://{route.Backend}:{route.Port}"),
            Node = node.Text,
            Problem = edge.ProblemOf(route),
        };
        told.Addresses.AddRange(route.Addresses.Select(a => a.ToString()));
        if (edge.Certificates?.Find(route.Hostname) is not { } kept)
            return told;
        told.Certificate = new EdgeCertificate
        {
            Source = kept.Source,
            Serial = kept.Leaf.SerialNumber,
            Issuer = kept.Leaf.Issuer,
            Expires = ((DateTimeOffset)kept.Leaf.NotAfter.ToUniversalTime()).ToTimestamp(),
        };
        return told;
    }

    public static Instance ToWire(this InstanceInfo info, string runtime)
    {
        var instance = new Instance
        {
            Name = info.Name.ToString(),
            Runtime = runtime,
            Image = info.Image,
            State = Spell(info.State),
            ExitCode = info.ExitCode ?? 0,
            Started = info.Started?.ToTimestamp(),
            Reason = info.State is InstanceState.Exited or InstanceState.Failed ? info.Ending : "",
        };
        instance.Ports.AddRange(info.Ports.Select(p => string.Create(CultureInfo.InvariantCulture, $"{p.Address}:{p.Host}->{p.Instance}")));
        return instance;
    }

    public static Protocol.V1.Drift ToWire(this DriftItem item) => new()
    {
        Instance = string.Create(CultureInfo.InvariantCulture, $"{item.Service}.{item.Component}.{item.Generation}"),
        What = item.What,
        Repair = Spell(item.Repair),
    };

    private static ComponentStatus ToWire(ComponentView component)
    {
        var (stored, observed) = (component.Stored, component.Observed);
        var status = new ComponentStatus
        {
            Service = stored.Service.Text,
            Component = stored.Definition.Name.Text,
            Image = stored.Definition.Image.Text,
            Runtime = Spellings.Runtimes.Spell(stored.Definition.Runtime),
            Generation = stored.Generation,
            Desired = Spell(stored.Desired),
            Observed = observed is null ? "removed" : Spell(observed.State),
            Since = (observed?.Started ?? stored.Updated).ToTimestamp(),
            Restarts = component.Restarts,
            Flapping = component.Restarts >= RestartBackoff.FlappingFrom,
            Unhealthy = component.Unhealthy ?? "",
            Starting = component.Starting ?? "",
            Stale = component.Sight is { Silent: not null },
            Seen = component.Sight?.At?.ToTimestamp(),
        };
        status.Routes.AddRange(component.Routes.Select(r => new RouteStatus
        {
            Name = r.Route.Name.Text,
            Mode = Spellings.Modes.Spell(r.Route.Mode),
            Port = r.Route.Port,
            HostPort = r.HostPort,
            Hostname = r.Route.Hostname?.Text ?? "",
            Public = r.Route.Public,
            Url = r.Url,
        }));
        status.Ports.AddRange(stored.Definition.Ports.Select(p => $"{new IPEndPoint(IPAddress.Parse(p.Address), p.Host)}"));
        return status;
    }

    private static Protocol.V1.NodeDisk ToWire(Disks.NodeDisk disk)
    {
        var told = new Protocol.V1.NodeDisk
        {
            Path = disk.Path,
            Bytes = disk.Space?.Bytes ?? 0,
            FreeBytes = disk.Space?.Free ?? 0,
            Short = disk.IsShort,
            NearlyFull = disk.IsNearlyFull,
        };
        told.Holds.AddRange(disk.Holds);
        told.Volumes.AddRange(disk.Volumes);
        return told;
    }

    private static RuntimeStatus ToWire(RuntimeFacts runtime) => runtime.Availability switch
    {
        RuntimeAvailability.Usable usable => new RuntimeStatus { Name = runtime.Name, Usable = true, Version = usable.Version },
        RuntimeAvailability.Unusable unusable => new RuntimeStatus { Name = runtime.Name, Reason = unusable.Reason, Hint = unusable.Hint },
        var other => throw new InvalidOperationException($"unknown availability {other}"),
    };

    private static string Spell<T>(T value)
        where T : struct, System.Enum => value.ToString().ToLowerInvariant();
}
