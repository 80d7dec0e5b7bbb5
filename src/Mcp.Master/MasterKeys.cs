using System.Net;
using Mcp.Daemon.Alerts;
using Mcp.Daemon.Settings;
using Mcp.Master.Dns;
using Mcp.Model.Definition;
using Mcp.Model.Definition.Keys;
using Mcp.Model.Events;
using Mcp.Model.Names;
using Mcp.Model.Placement;
using Mcp.Model.Routes;

namespace Mcp.Master;

/// <summary>Every key of master.toml, once.</summary>
internal static class MasterKeys
{
    private static readonly TextKind<IPEndPoint> s_endpoint = TextKinds.Endpoint("100.64.0.1:7443");

    private static readonly Dictionary<string, DnsKind> s_providers = new()
    {
        ["builtin"] = DnsKind.Builtin,
        ["rfc2136"] = DnsKind.Rfc2136,
        ["none"] = DnsKind.None,
    };

    private static readonly TextKind<Hostname> s_zone = new($"{Hostname.Allowed}; not node.mcp", TryParseZone, h => h.Text);

    public static readonly Hostname UsualZone = Hostname.TryParse("mcp.internal", out var zone)
        ? zone
        : throw new InvalidOperationException();

    private static readonly KeyTable<DnsOptions> s_dns = new KeyTable<DnsOptions>("[dns]", new DnsOptions())
        .Value(
            "provider", new ChoiceKind<DnsKind>(s_providers),
            d => d.Kind, (d, v) => d with { Kind = v },
            "Who answers for the zone: the master, another server that the master updates, or nobody.").Shown()
        .Optional(
            "listen", s_endpoint,
            d => d.Listen, (d, v) => d with { Listen = v },
            "builtin: where the master answers.",
            "port 53 of the master's own address",
            "\"100.64.0.1:53\"")
        .Value(
            "rate_limit", new IntegerKind(0, 10_000_000),
            d => d.RateLimit, (d, v) => d with { RateLimit = v },
            "Questions a second that one source may ask over UDP; 0: no limit.")
        .Value(
            "ttl", new DurationKind(TimeSpan.FromMilliseconds(1), TimeSpan.FromDays(1)),
            d => d.Ttl, (d, v) => d with { Ttl = v },
            "How long clients may keep an address; a service that moves waits for it.")
        .Optional(
            "server", s_endpoint,
            d => d.Server, (d, v) => d with { Server = v },
            "rfc2136: BIND, Knot or PowerDNS.",
            example: "\"100.64.0.9:53\"")
        .Optional(
            "key_name", TextKinds.Labels,
            d => d.KeyName, (d, v) => d with { KeyName = v },
            "rfc2136: its TSIG key, HMAC-SHA256.",
            example: "\"mcp\"")
        .Optional(
            "key_file", PathKinds.Any,
            d => d.KeyFile, (d, v) => d with { KeyFile = v },
            "rfc2136: a file with the secret in base64, mode 0600.",
            example: "\"/etc/mcp/tsig.key\"");

    private static readonly KeyTable<ExpectedNode> s_node =
        new KeyTable<ExpectedNode>("[[nodes]]", new ExpectedNode(Label.Parse("unnamed"), [NodeRole.Worker]))
            .Required("name", TextKinds.Name, n => n.Name, (n, v) => n with { Name = v }, "Its name.", "\"rift\"")
            .List(
                "roles", new ChoiceKind<NodeRole>(NodeRoles.Spellings),
                n => n.Roles, (n, v) => n with { Roles = v.Count > 0 ? v : [NodeRole.Worker] },
                "What it is for: workers take services, masters those of the tier core, edges let the public in.",
                "[\"worker\"]",
                "[\"worker\"]");

    /// <summary>The whole file.</summary>
    public static readonly KeyTable<MasterConfig> All = new KeyTable<MasterConfig>(
        "master.toml",
        new MasterConfig { Name = Label.Parse("unnamed"), Listen = new IPEndPoint(IPAddress.Loopback, 1), State = "/" })
        .Required("name", TextKinds.Name, m => m.Name, (m, v) => m with { Name = v }, "The fleet's name.")
        .Required("listen", s_endpoint, m => m.Listen, (m, v) => m with { Listen = v }, "Where the master answers.")
        .Required("state", PathKinds.Any, m => m.State, (m, v) => m with { State = v }, "Where the master keeps what it knows.")
        .List(
            "allowed_domains", TextKinds.Hostname,
            m => m.Domains.List, (m, v) => m with { Domains = new AllowedDomains(v) },
            "Public routes must lie in these, such as \"example.com\".",
            "no public routes").Shown()
        .Value(
            "heartbeat", new DurationKind(TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(1)),
            m => m.Heartbeat, (m, v) => m with { Heartbeat = v },
            "How often nodes report that they are alive; one that misses three is unreachable.").Shown()
        .Value(
            "certificate_life", new DurationKind(TimeSpan.FromSeconds(1), TimeSpan.FromDays(365)),
            m => m.CertificateLife, (m, v) => m with { CertificateLife = v },
            "How long the certificates of nodes are valid; they are renewed by themselves.")
        .Value(
            "settle", new DurationKind(TimeSpan.FromMilliseconds(1), TimeSpan.FromMinutes(10)),
            m => m.Settle, (m, v) => m with { Settle = v },
            "How long the old instances of a service that moves go on after the switch.").Shown()
        .Value(
            "zone", s_zone,
            m => m.Zone, (m, v) => m with { Zone = v },
            "SERVICE.zone and COMPONENT.SERVICE.zone are the address of the service's node.")
        .Value("dns", new TableKind<DnsOptions>(s_dns), m => m.Dns, (m, v) => m with { Dns = v }, "Names of services.")
        .List(
            "nodes", new TableKind<ExpectedNode>(s_node),
            m => m.Nodes, (m, v) => m with { Nodes = v },
            "Nodes that are to join.")
        .Value(
            "alerts", new TableKind<AlertOptions>(AlertKeys.Of(EventSource.Master)),
            m => m.Alerts, (m, v) => m with { Alerts = v },
            AlertKeys.Text);

    /// <summary>What is wrong with values that fit their keys.</summary>
    public static IEnumerable<Problem> Check(MasterConfig config, Places places)
    {
        if (config.Dns is { Kind: DnsKind.Rfc2136 } dns)
        {
            foreach (var key in (string[])["server", "key_name", "key_file"])
            {
                if (!places.Says(dns, key))
                    yield return places.Problem(dns, $"[dns] needs '{key}'", "", "provider = \"rfc2136\" takes it");
            }
        }

        foreach (var problem in AlertKeys.Check(config.Alerts, places))
            yield return problem;
    }

    // Names below node.mcp are identities of nodes: no service may get a certificate for one.
    private static bool TryParseZone(string text, out Hostname zone) => Hostname.TryParse(text, out zone!) && !TextKinds.IsOfNodes(text);
}
