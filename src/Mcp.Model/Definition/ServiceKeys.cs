using Mcp.Model.Definition.Keys;
using Mcp.Model.Definition.Tree;
using Mcp.Model.Names;

namespace Mcp.Model.Definition;

/// <summary>Every key of a service file, once. A new key: a member of the record, and its line here.</summary>
internal static class ServiceKeys
{
    private static readonly Label s_nobody = Label.Parse("invalid");
    private static readonly BooleanKind s_boolean = new();
    private static readonly IntegerKind s_port = new(1, 65535);
    private static readonly DurationKind s_time = new(TimeSpan.FromMilliseconds(1), TimeSpan.FromMinutes(10));
    private static readonly TextKind<ImageReference> s_image = new(ImageReference.Allowed, ImageReference.TryParse, i => i.Text);
    private static readonly TextKind<VolumeMount> s_volume =
        new(VolumePaths.Allowed, VolumePaths.TryParse, v => v.ToString(), isNoted: true);
    private static readonly TextKind<FixedPort> s_fixed = new(FixedPorts.Allowed, FixedPorts.TryParse, FixedPorts.Format, isNoted: true);
    private static readonly MapKind s_env =
        new(ShortTexts.AllowedVariable, ShortTexts.IsVariable, t => !t.Contains('\0', StringComparison.Ordinal));

    private static readonly KeyTable<Route> s_route = new KeyTable<Route>("a route", new Route { Name = s_nobody, Port = 1 })
        .Required(
            "name", TextKinds.Name,
            r => r.Name, (r, v) => r with { Name = v },
            "Its name, for `mcp status` and for PORT_NAME in the environment.")
        .Required("port", s_port, r => r.Port, (r, v) => r with { Port = v }, "The port that the program listens on.")
        .Value(
            "mode", new ChoiceKind<RouteMode>(Spellings.Modes),
            r => r.Mode, (r, v) => r with { Mode = v },
            "l7 passes HTTP requests on; l4 passes TLS connections on by their server name.")
        .Optional("hostname", TextKinds.Hostname, r => r.Hostname, (r, v) => r with { Hostname = v }, "The name that clients ask for.")
        .Value("public", s_boolean, r => r.Public, (r, v) => r with { Public = v }, "Whether edge nodes let the world in at the hostname.")
        .Value(
            "idle_timeout", new DurationKind(TimeSpan.FromMilliseconds(1), Route.LongestIdleTimeout),
            r => r.IdleTimeout, (r, v) => r with { IdleTimeout = v },
            "How long an answer or a WebSocket may go without a byte before it is ended. For l7.");

    private static readonly KeyTable<HealthCheck> s_health = new KeyTable<HealthCheck>("a health check", new HealthCheck())
        .Optional(
            "http", TextKinds.Of(ShortTexts.AllowedPath, ShortTexts.IsPath),
            h => h.Http, (h, v) => h with { Http = v },
            "A path that must answer with a status from 200 to 399.")
        .Value("tcp", s_boolean, h => h.Tcp, (h, v) => h with { Tcp = v }, "Whether the port must accept connections.")
        .Value("grpc", s_boolean, h => h.Grpc, (h, v) => h with { Grpc = v }, "Whether grpc.health.v1 must answer SERVING.")
        .List(
            "exec", TextKinds.Any,
            h => h.Exec, (h, v) => h with { Exec = v },
            "A program in the container or microvm, with its arguments, that must exit with 0.")
        .Maybe("port", s_port, h => h.Port, (h, v) => h with { Port = v }, "The port that is asked.", "the first route's")
        .Optional(
            "host", TextKinds.Hostname,
            h => h.Host, (h, v) => h with { Host = v },
            "The name that http and grpc ask for.",
            "the hostname of the route at that port")
        .Value(
            "interval", s_time,
            h => h.Interval, (h, v) => h with { Interval = v },
            "From one question to the next; right after a start sooner.")
        .Value("timeout", s_time, h => h.Timeout, (h, v) => h with { Timeout = v }, "How long an answer may take.")
        .Value(
            "retries", new IntegerKind(1, 1000),
            h => h.Retries, (h, v) => h with { Retries = v },
            "How many questions are asked before the deploy fails.")
        .Maybe(
            "every", s_time,
            h => h.Every, (h, v) => h with { Every = v },
            "After the deploy, the time from one question to the next.",
            "10s; 30s for exec")
        .Maybe(
            "start_period", s_time,
            h => h.StartPeriod, (h, v) => h with { StartPeriod = v },
            "After the deploy, how long after a start bad answers do not count unless it has been well.",
            "interval times retries; with a writable volume 5m")
        .Maybe(
            "on_unhealthy", new ChoiceKind<OnUnhealthy>(Spellings.Unhealthy),
            h => h.OnUnhealthy, (h, v) => h with { OnUnhealthy = v },
            "What is done after three bad answers in a row: it is started again, or only reported.",
            "restart; with a writable volume report");

    /// <summary>Of one component, as instances carry it.</summary>
    public static readonly KeyTable<ComponentDefinition> Component =
        new KeyTable<ComponentDefinition>(
            "a component",
            new ComponentDefinition { Name = s_nobody, Image = ImageReference.Parse("localhost/unknown") })
        .Required("name", TextKinds.Name, c => c.Name, (c, v) => c with { Name = v }, "Its name.")
        .Required("image", s_image, c => c.Image, (c, v) => c with { Image = v }, "An OCI image, with its registry.")
        .Value(
            "runtime", new ChoiceKind<RuntimeKind>(Spellings.Runtimes),
            c => c.Runtime, (c, v) => c with { Runtime = v },
            "What it runs as: a podman container, a Nanos unikernel, or a small Linux VM.")
        .Maybe(
            "memory_mb", new IntegerKind(4, 16 * 1024 * 1024),
            c => c.MemoryMb, (c, v) => c with { MemoryMb = v },
            "Memory in MiB: a container's limit, a VM's size.",
            "no limit; 256 for a VM")
        .Maybe(
            "vcpus", new IntegerKind(1, 1024),
            c => c.Vcpus, (c, v) => c with { Vcpus = v },
            "CPUs: a container's limit, a VM's number.",
            "no limit; 1 for a VM")
        .List("cmd", TextKinds.Any, c => c.Cmd, (c, v) => c with { Cmd = v }, "Arguments for the image's program.", "the image's own")
        .Map("env", s_env, c => c.Env, (c, v) => c with { Env = v }, "Environment variables.")
        .List(
            "volumes", s_volume,
            c => c.Volumes, (c, v) => c with { Volumes = v },
            "Volumes of the service by name, and directories of the node. One instance at a time may write to one, unless all say :shared.")
        .List("ports", s_fixed, c => c.Ports, (c, v) => c with { Ports = v }, "Fixed ports of the node.")
        .Optional(
            "network", TextKinds.Of(ShortTexts.AllowedNetwork, ShortTexts.IsNetwork),
            c => c.Network, (c, v) => c with { Network = v },
            "Containers: host, or a podman network. VMs: user or bridge.")
        .Optional(
            "user", TextKinds.Of(ShortTexts.AllowedUser, ShortTexts.IsUser),
            c => c.User, (c, v) => c with { User = v },
            "The user that a container's program runs as.",
            "the image's own")
        .Value(
            "restart", new ChoiceKind<RestartPolicy>(Spellings.Restarts),
            c => c.Restart, (c, v) => c with { Restart = v },
            "Whether it is started again after it has ended.")
        .Value(
            "pull", new ChoiceKind<PullPolicy>(Spellings.Pulls),
            c => c.Pull, (c, v) => c with { Pull = v },
            "When the registry is asked for its image: where the file names another one, at each deploy, or only where no copy is here.")
        .Maybe(
            "update", new ChoiceKind<UpdateMode>(Spellings.Updates),
            c => c.Update, (c, v) => c with { Update = v },
            "Whether the old instance ends before the new one starts.",
            "beside, or stop-first where both cannot run at once")
        .Maybe(
            "stop_grace", s_time,
            c => c.StopGrace, (c, v) => c with { StopGrace = v },
            "How long it may take to end before it is killed.",
            "10s; with a writable volume 60s")
        .Maybe(
            "stop_signal", new ChoiceKind<StopSignal>(Spellings.Signals),
            c => c.StopSignal, (c, v) => c with { StopSignal = v },
            "What asks its program to end. Not for unikernels.",
            "the image's own, or SIGTERM")
        .Value(
            "drain", s_time,
            c => c.Drain, (c, v) => c with { Drain = v },
            "How long requests under way may take to end before an old instance is stopped.")
        .Value(
            "watch", new DurationKind(TimeSpan.Zero, TimeSpan.FromHours(1)),
            c => c.Watch, (c, v) => c with { Watch = v },
            "How long a new instance is watched after it took over; a failure meanwhile is undone. 0s: not at all.")
        .Optional(
            "health", new TableKind<HealthCheck>(s_health),
            c => c.Health, (c, v) => c with { Health = v },
            "How to tell that it is well.")
        .List("routes", new TableKind<Route>(s_route), c => c.Routes, (c, v) => c with { Routes = v }, "The ports that others may reach.");

    /// <summary>The whole file.</summary>
    public static readonly KeyTable<ServiceDefinition> Service = new KeyTable<ServiceDefinition>(
        "a service",
        new ServiceDefinition { Name = s_nobody })
        .Required("name", TextKinds.Name, s => s.Name, (s, v) => s with { Name = v }, "Its name.")
        .Value(
            "tier", new ChoiceKind<Tier>(Spellings.Tiers),
            s => s.Tier, (s, v) => s with { Tier = v },
            "Which nodes it may go to: core services go to master nodes.")
        .Optional("node", TextKinds.Name, s => s.Node, (s, v) => s with { Node = v }, "The node that it runs on.", "the master chooses")
        .Value("active", s_boolean, s => s.Active, (s, v) => s with { Active = v }, "Whether it runs.")
        .List(
            "components", new TableKind<ComponentDefinition>(Component),
            s => s.Components, (s, v) => s with { Components = v },
            "Its programs.");

    /// <summary>For the reference: each table with its header.</summary>
    public static IReadOnlyList<(string Header, IReadOnlyList<KeyInfo> Keys)> All =>
    [
        ("the service", Service.Infos),
        ("[[components]]", Component.Infos),
        ("health = { ... }", s_health.Infos),
        ("[[components.routes]]", s_route.Infos),
    ];

    /// <summary>A JSON schema (2020-12) of service files, for editors.</summary>
    public static string Schema()
    {
        var schema = new TableNode(0, 0);
        schema.Entries["$schema"] = new Entry(0, 0, new TextNode(0, 0, "https://json-schema.org/draft/2020-12/schema"));
        schema.Entries["title"] = new Entry(0, 0, new TextNode(0, 0, "mcp service file"));
        foreach (var (key, entry) in Service.Schema().Entries)
            schema.Entries[key] = entry;
        return JsonTree.WriteIndented(schema);
    }
}
