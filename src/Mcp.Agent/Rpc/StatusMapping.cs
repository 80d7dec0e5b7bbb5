using System.Globalization;
using Google.Protobuf.WellKnownTypes;
using Mcp.Agent.Registry;
using Mcp.Model.Definition;
using Mcp.Model.Drift;
using Mcp.Model.Instances;
using Mcp.Protocol.V1;
using Mcp.Runtimes;

namespace Mcp.Agent.Rpc;

/// <summary>Registry and runtime records to wire messages.</summary>
internal static class StatusMapping
{
    public static ComponentStatus ToWire(this StoredComponent stored, InstanceInfo? observed, AgentParts node)
    {
        var restarts = node.Restarts.Count(stored.Instance);
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
            Restarts = restarts,
            Flapping = restarts >= Model.Health.RestartBackoff.FlappingFrom,
        };
        status.Routes.AddRange(stored.Definition.Routes.Select(r => new RouteStatus
        {
            Name = r.Name.Text,
            Mode = Spellings.Modes.Spell(r.Mode),
            Port = r.Port,
            HostPort = node.Ports.HostPort(stored.Instance, stored.Definition, r.Port),
            Hostname = r.Hostname?.Text ?? "",
            Public = r.Public,
        }));
        return status;
    }

    public static Protocol.V1.EdgeRoute ToWire(this Model.Routes.EdgeRoute route, AgentParts node)
    {
        var told = new Protocol.V1.EdgeRoute
        {
            Hostname = route.Hostname.Text,
            Service = route.Service.Text,
            Backend = string.Create(CultureInfo.InvariantCulture, $"https://{route.Backend}:{route.Port}"),
            Node = node.Config.Name.Text,
            Problem = node.Edge.ProblemOf(route),
        };
        told.Addresses.AddRange(route.Addresses.Select(a => a.ToString()));
        if (node.Edge.Certificates?.Find(route.Hostname) is { } kept)
            told.Certificate = new EdgeCertificate { Source = kept.Source, Serial = kept.Leaf.SerialNumber, Issuer = kept.Leaf.Issuer, Expires = ((DateTimeOffset)kept.Leaf.NotAfter.ToUniversalTime()).ToTimestamp() };
        return told;
    }

    public static Instance ToWire(this InstanceInfo info, string runtime)
    {
        var instance = new Instance { Name = info.Name.ToString(), Runtime = runtime, Image = info.Image, State = Spell(info.State), ExitCode = info.ExitCode ?? 0, Started = info.Started?.ToTimestamp(), Reason = info.State is InstanceState.Exited or InstanceState.Failed ? info.Ending : "" };
        instance.Ports.AddRange(info.Ports.Select(p => string.Create(CultureInfo.InvariantCulture, $"{p.Address}:{p.Host}->{p.Instance}")));
        return instance;
    }

    public static Protocol.V1.Drift ToWire(this DriftItem item) => new()
    {
        Instance = string.Create(CultureInfo.InvariantCulture, $"{item.Service}.{item.Component}.{item.Generation}"),
        What = item.What,
        Repair = Spell(item.Repair),
    };

    public static RuntimeStatus ToWire(this RuntimeAvailability availability, string name) => availability switch
    {
        RuntimeAvailability.Usable usable => new RuntimeStatus { Name = name, Usable = true, Version = usable.Version },
        RuntimeAvailability.Unusable unusable => new RuntimeStatus { Name = name, Reason = unusable.Reason, Hint = unusable.Hint },
        _ => throw new InvalidOperationException($"unknown availability {availability}"),
    };

    private static string Spell<T>(T value)
        where T : struct, System.Enum => value.ToString().ToLowerInvariant();
}
