using System.Net;
using Mcp.Agent.Edge;
using Mcp.Agent.Recovery;
using Mcp.Daemon.Alerts;
using Mcp.Daemon.Settings;
using Mcp.Model.Definition;
using Mcp.Model.Definition.Keys;
using Mcp.Model.Definition.Toml;
using Mcp.Model.Events;
using Mcp.Model.Names;
using Mcp.Model.Routes;
using Mcp.Runtimes.Podman;
using Mcp.Runtimes.Qemu;

namespace Mcp.Agent;

/// <summary>Every key of agent.toml, once.</summary>
internal static class AgentKeys
{
    private const string LetsEncrypt = "https://acme-v02.api.letsencrypt.org/directory";
    private static readonly BooleanKind s_boolean = new();
    private static readonly DurationKind s_pull = new(TimeSpan.FromSeconds(1), TimeSpan.FromHours(6));
    private static readonly TextKind<IPEndPoint> s_endpoint = TextKinds.Endpoint("127.0.0.1:7443");
    private static readonly TextKind<PortRange> s_ports = new("first-last, from 1024 to 65535", PortRange.TryParse, r => r.ToString());
    private static readonly TextKind<IPNetwork> s_network =
        new("a network, such as 100.64.0.0/10", IPNetwork.TryParse, n => n.ToString());

    private static readonly TextKind<IPNetwork> s_source =
        new("an address or a network, such as 127.0.0.1 or 10.0.0.0/8", TryParseSource, n => n.ToString());

    private static readonly TextKind<Uri> s_https = new($"an https URL, such as {LetsEncrypt}", TryParseHttps, u => u.OriginalString);

    private static readonly TextKind<string> s_bridge = TextKinds.Of(
        "1 to 15 letters, digits, '-', '.', '_'",
        text => text.Length is > 0 and <= 15 && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.' or '_'));

    private static readonly TextKind<string> s_bridgeNetwork = TextKinds.Of(
        "the first three numbers of a /24 network, such as \"10.87.0\"",
        text => text.Split('.').Length == 3 && IPAddress.TryParse(text + ".1", out _));

    private static readonly Dictionary<string, Acceleration> s_accelerations = new()
    {
        ["auto"] = Acceleration.Auto,
        ["kvm"] = Acceleration.Kvm,
        ["tcg"] = Acceleration.Tcg,
    };

    private static readonly Dictionary<string, CertificateKind> s_certificates = new()
    {
        ["internal"] = CertificateKind.Internal,
        ["acme"] = CertificateKind.Acme,
        ["files"] = CertificateKind.Files,
    };

    private static readonly KeyTable<ProxyOptions> s_proxy = new KeyTable<ProxyOptions>("[proxy]", new ProxyOptions())
        .Value("http", s_endpoint, p => p.Http, (p, v) => p with { Http = v }, "HTTP/1.1 and WebSockets, without TLS.").Shown()
        .Value("tls", s_endpoint, p => p.Tls, (p, v) => p with { Tls = v }, "TLS for l4 routes, passed on by server name.").Shown()
        .Optional(
            "h2c", s_endpoint,
            p => p.H2c, (p, v) => p with { H2c = v },
            "HTTP/2 without TLS, for gRPC clients on this machine.",
            "off",
            "\"127.0.0.1:8081\"")
        .Optional(
            "overlay", s_endpoint,
            p => p.Overlay, (p, v) => p with { Overlay = v },
            "For the other nodes of a fleet: https://SERVICE.zone with a certificate of the fleet's CA.",
            "off",
            "\"100.64.0.2:8444\"")
        .List(
            "trusted", s_source,
            p => p.Trusted,
            (p, v) => p with { Trusted = v },
            "Proxies before this one, such as one that ends TLS: what they say in X-Forwarded-* is believed.",
            "nobody",
            "[\"127.0.0.1\"]");

    /// <summary>[edge]</summary>
    public static readonly KeyTable<EdgeOptions> Edge = new KeyTable<EdgeOptions>("[edge]", new EdgeOptions())
        .Value("http", s_endpoint, e => e.Http, (e, v) => e with { Http = v }, "Sends on to https, and answers ACME servers.").Shown()
        .Value("https", s_endpoint, e => e.Https, (e, v) => e with { Https = v }, "Where the public comes in.").Shown()
        .Value(
            "certificates", new ChoiceKind<CertificateKind>(s_certificates),
            e => e.Certificates, (e, v) => e with { Certificates = v },
            "Where certificates come from: the fleet's CA, an ACME server, or files.").Shown()
        .Optional(
            "acme_directory", s_https,
            e => e.Directory, (e, v) => e with { Directory = v },
            "The ACME server's directory; acme needs it.",
            example: $"\"{LetsEncrypt}\"")
        .Optional(
            "acme_email", TextKinds.Any,
            e => e.Email, (e, v) => e with { Email = v },
            "Whom the CA may write to; acme needs it.",
            example: "\"you@example.com\"")
        .Optional(
            "acme_ca", PathKinds.Any,
            e => e.DirectoryCa, (e, v) => e with { DirectoryCa = v },
            "Whom to trust for the directory, a PEM file.",
            "whom the machine trusts",
            "\"/etc/mcp/acme-ca.pem\"")
        .Value("lego", TextKinds.Any, e => e.Lego, (e, v) => e with { Lego = v }, "The ACME client, https://go-acme.github.io/lego.")
        .Optional(
            "files", PathKinds.Any,
            e => e.Files, (e, v) => e with { Files = v },
            "HOST.pem, or HOST.crt and HOST.key; _.DOMAIN.pem for all names one level below. Needed for files.",
            example: "\"/etc/mcp/certificates\"")
        .Maybe(
            "hsts", new DurationKind(TimeSpan.FromMilliseconds(1), TimeSpan.FromDays(2 * 365)),
            e => e.Hsts, (e, v) => e with { Hsts = v },
            "How long browsers insist on https.",
            "off",
            "\"8760h\"")
        .Value(
            "body_mb", new MebibytesKind(1, 1024 * 1024),
            e => e.BodyLimit, (e, v) => e with { BodyLimit = v },
            "The longest body of a request, in MiB; gRPC streams have no limit.")
        .Value(
            "least_rate", new IntegerKind(0, 1024 * 1024),
            e => e.LeastRate, (e, v) => e with { LeastRate = v },
            "Bytes a second that a client must send of a body, or take of an answer, after 5 s; 0: no such limit.")
        .Value(
            "access_log", s_boolean,
            e => e.AccessLog, (e, v) => e with { AccessLog = v },
            "Whether requests go to STATE/edge/access.log.")
        .Optional(
            "metrics", s_endpoint,
            e => e.Metrics, (e, v) => e with { Metrics = v },
            "Where /metrics answers, for Prometheus.",
            "off",
            "\"127.0.0.1:9464\"")
        .List(
            "overlay_range", s_network,
            e => e.Overlay.IsUsual ? [] : e.Overlay.Networks,
            (e, v) => e with { Overlay = v.Count > 0 ? new OverlayRange(v) : OverlayRange.Usual },
            "Where the addresses of nodes lie.",
            OverlayRange.Usual.ToString(),
            "[\"100.64.0.0/10\", \"fd7a:115c:a1e0::/48\"]");

    private static readonly KeyTable<BootStage> s_stage = new KeyTable<BootStage>(
        "[[boot.sequence]]",
        new BootStage([], TimeSpan.FromMinutes(1)))
        .List(
            "services", TextKinds.Name,
            s => s.Services, (s, v) => s with { Services = v },
            "The services, by name.",
            example: "[\"database\"]")
        .Value(
            "timeout", new DurationKind(TimeSpan.FromMilliseconds(1), TimeSpan.FromHours(1)),
            s => s.Timeout, (s, v) => s with { Timeout = v },
            "How long the others wait for them.");

    private static readonly KeyTable<BootOptions> s_boot = new KeyTable<BootOptions>("[boot]", new BootOptions())
        .List(
            "sequence", new TableKind<BootStage>(s_stage),
            b => b.Sequence, (b, v) => b with { Sequence = v },
            "Services that must be well before the others start, one step after the other.");

    private static readonly KeyTable<PodmanOptions> s_podman = new KeyTable<PodmanOptions>("[podman]", new PodmanOptions())
        .Optional(
            "socket", PathKinds.Any,
            p => p.StartService ? null : p.Socket, (p, v) => p with { Socket = v, StartService = false },
            "Where podman's API is served.",
            "the agent starts it itself",
            "\"/run/podman/podman.sock\"")
        .Optional(
            "root", PathKinds.Any,
            p => p.Root, (p, v) => p with { Root = v },
            "podman's --root.",
            "podman's own",
            "\"/var/lib/containers/storage\"")
        .Optional(
            "runroot", PathKinds.Any,
            p => p.RunRoot, (p, v) => p with { RunRoot = v },
            "podman's --runroot.",
            "podman's own",
            "\"/run/containers/storage\"")
        .Optional(
            "containers_conf", PathKinds.Any,
            p => p.ContainersConf, (p, v) => p with { ContainersConf = v },
            "podman's configuration.",
            "podman's own",
            "\"/etc/containers/containers.conf\"")
        .Value(
            "log_mb", new MebibytesKind(1, 1024),
            p => p.LogBytes, (p, v) => p with { LogBytes = v },
            "A container's log begins a new file at this size in MiB; three are kept.")
        .Value("pull_limit", s_pull, p => p.PullLimit, (p, v) => p with { PullLimit = v }, "Time for one pull.");

    private static readonly KeyTable<QemuOptions> s_qemu = new KeyTable<QemuOptions>("[qemu]", new QemuOptions("", []))
        .Value("program", TextKinds.Any, q => q.Program, (q, v) => q with { Program = v }, "QEMU.")
        .Value(
            "accel", new ChoiceKind<Acceleration>(s_accelerations),
            q => q.Acceleration, (q, v) => q with { Acceleration = v },
            "How guests run; auto takes KVM where a guest really boots on it.")
        .Optional(
            "user", TextKinds.Any,
            q => q.User, (q, v) => q with { User = v },
            "Whom QEMU runs as, a member of the group kvm.",
            "whom the agent runs as",
            "\"mcp-vm\"")
        .Optional(
            "kernel", PathKinds.Any,
            q => q.Kernel, (q, v) => q with { Kernel = v },
            "The kernel of microvms.",
            "the newest of this machine",
            "\"/boot/vmlinuz\"")
        .Value("ops", TextKinds.Any, q => q.Ops, (q, v) => q with { Ops = v }, "NanoVMs ops, which builds unikernels.")
        .Optional(
            "auth_file", PathKinds.Any,
            q => q.AuthFile, (q, v) => q with { AuthFile = v },
            "Logins for registries, for the images of VMs.",
            "podman's own",
            "\"/root/.config/containers/auth.json\"")
        .Value(
            "build_limit", new DurationKind(TimeSpan.FromSeconds(1), TimeSpan.FromHours(1)),
            q => q.BuildLimit, (q, v) => q with { BuildLimit = v },
            "Time to build one unikernel.")
        .Value("pull_limit", s_pull, q => q.PullLimit, (q, v) => q with { PullLimit = v }, "Time for one pull.")
        .Value(
            "console_mb", new MebibytesKind(1, 1024),
            q => q.ConsoleBytes, (q, v) => q with { ConsoleBytes = v },
            "A VM's log begins a new file at this size in MiB; three are kept.")
        .Value(
            "image_max_mb", new MebibytesKind(1, 1024 * 1024),
            q => q.ImageLimits.MaxBytes, (q, v) => q with { ImageLimits = q.ImageLimits with { MaxBytes = v } },
            "No image may take more, unpacked, in MiB.")
        .Value(
            "image_max_entries", new IntegerKind(1, 100_000_000),
            q => (int)q.ImageLimits.MaxEntries, (q, v) => q with { ImageLimits = q.ImageLimits with { MaxEntries = v } },
            "No image may have more files.")
        .Value("bridge", s_bridge, q => q.Bridge, (q, v) => q with { Bridge = v }, "The bridge of VMs with network = \"bridge\".")
        .Value(
            "bridge_network", s_bridgeNetwork,
            q => q.BridgeNetwork, (q, v) => q with { BridgeNetwork = v },
            "The first three numbers of its /24 network.");

    /// <summary>The whole file.</summary>
    public static readonly KeyTable<AgentConfig> All = new KeyTable<AgentConfig>(
        "agent.toml",
        new AgentConfig { Name = Label.Parse("unnamed"), Listen = new IPEndPoint(IPAddress.Loopback, 1), State = "/" })
        .Required("name", TextKinds.Name, a => a.Name, (a, v) => a with { Name = v }, "This node's name.")
        .Required("listen", s_endpoint, a => a.Listen, (a, v) => a with { Listen = v }, "Where the agent answers.")
        .Required("state", PathKinds.Any, a => a.State, (a, v) => a with { State = v }, "Where the agent keeps what it knows.")
        .Value(
            "zone", TextKinds.Zone,
            a => a.Zone, (a, v) => a with { Zone = v },
            "Below it services have their names: SERVICE.zone and COMPONENT.SERVICE.zone.")
        .Value("ports", s_ports, a => a.Ports, (a, v) => a with { Ports = v }, "Ports of this node that routes get.").Shown()
        .Value(
            "files", PathKinds.Any,
            a => a.Files, (a, v) => a with { Files = v },
            "Below it each service has a directory of its own, for mcp push and mcp pull.").Shown()
        .Value("proxy", new TableKind<ProxyOptions>(s_proxy), a => a.Proxy, (a, v) => a with { Proxy = v }, "Where the node proxy listens.")
        .Optional("edge", new TableKind<EdgeOptions>(Edge), a => a.Edge, (a, v) => a with { Edge = v }, "This node lets the public in.")
        .Value("boot", new TableKind<BootOptions>(s_boot), a => a.Boot, (a, v) => a with { Boot = v }, "What starts first.")
        .Value(
            "alerts", new TableKind<AlertOptions>(AlertKeys.Of(EventSource.Agent)),
            a => a.Alerts, (a, v) => a with { Alerts = v },
            AlertKeys.Text)
        .Value(
            "qemu", new TableKind<QemuOptions>(s_qemu),
            a => a.Qemu, (a, v) => a with { Qemu = v },
            "For runtime = \"microvm\" and \"unikernel\".")
        .Value("podman", new TableKind<PodmanOptions>(s_podman), a => a.Podman, (a, v) => a with { Podman = v }, "For containers.");

    /// <summary>Everything that the proxy reads of it, as text.</summary>
    public static string OfProxy(AgentConfig config)
    {
        var edge = config.Edge is { } options ? TomlWriter.Value(Edge.WriteWhole(options)) : "";
        return $"{TomlWriter.Value(s_proxy.WriteWhole(config.Proxy))} {edge}";
    }

    /// <summary>What is wrong with values that fit their keys.</summary>
    public static IEnumerable<Problem> Check(AgentConfig config, Places places)
    {
        if (config.Edge is { Certificates: CertificateKind.Acme } acme)
        {
            foreach (var key in (string[])["acme_directory", "acme_email"])
            {
                if (!places.Says(acme, key))
                    yield return places.Problem(acme, $"[edge] needs '{key}'", "", "certificates = \"acme\" takes it");
            }
        }

        if (config.Edge is { Certificates: CertificateKind.Files } files && !places.Says(files, "files"))
            yield return places.Problem(files, "[edge] needs 'files'", "", "certificates = \"files\" takes it");
        foreach (var stage in config.Boot.Sequence.Where(s => s.Services.Count == 0))
            yield return places.Problem(stage, "wrong value of 'services'", "", "at least one service");
        foreach (var problem in AlertKeys.Check(config.Alerts, places))
            yield return problem;
    }

    private static bool TryParseSource(string text, out IPNetwork network)
    {
        if (!IPAddress.TryParse(text, out var address))
            return IPNetwork.TryParse(text, out network);
        network = new IPNetwork(address, address.GetAddressBytes().Length * 8);
        return true;
    }

    private static bool TryParseHttps(string text, out Uri url) =>
        Uri.TryCreate(text, UriKind.Absolute, out url!) && url.Scheme == Uri.UriSchemeHttps;
}
