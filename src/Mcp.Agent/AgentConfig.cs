using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;
using Mcp.Agent.Edge;
using Mcp.Agent.Recovery;
using Mcp.Daemon.Alerts;
using Mcp.Model.Definition;
using Mcp.Model.Definition.Keys;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Runtimes.Podman;
using Mcp.Runtimes.Qemu;

namespace Mcp.Agent;

/// <summary>agent.toml; its keys are in <see cref="AgentKeys"/>.</summary>
public sealed record AgentConfig
{
    public string File { get; init; } = "";

    public required Label Name { get; init; }

    /// <summary>Of the gRPC server.</summary>
    public required IPEndPoint Listen { get; init; }

    /// <summary>The state directory, absolute.</summary>
    public required string State { get; init; }

    /// <summary>Below it lies each service's own directory, for push and pull.</summary>
    public string Files { get; init; } = "/srv";

    /// <summary>Internal zone: a service answers as service.zone on the node proxy.</summary>
    public string Zone { get; init; } = "mcp.internal";

    /// <summary>Host ports that routes get.</summary>
    public PortRange Ports { get; init; } = new(20000, 29999);

    public ProxyOptions Proxy { get; init; } = new();

    /// <summary>Null: this is no edge node.</summary>
    public EdgeOptions? Edge { get; init; }

    public PodmanOptions Podman { get; init; } = new();

    public QemuOptions Qemu { get; init; } = new("", []);

    public BootOptions Boot { get; init; } = new();

    public AlertOptions Alerts { get; init; } = AlertOptions.Usual;

    public string ProxySocket => Path.Combine(State, "proxy.sock");

    public string ProxyPidFile => Path.Combine(State, "proxy.pid");

    /// <summary>What the proxy was told last.</summary>
    public string RoutesFile => Path.Combine(State, "routes.json");

    /// <summary>What the running proxy was started with: versions before the hand-over look here, and one may come back.</summary>
    public string ProxyOptionsFile => Path.Combine(State, "proxy.options");

    /// <summary>Everything of this file that the proxy reads at its start.</summary>
    // The number: what the agent tells the proxy. 2: held routes; 3: requests without WebSockets.
    public string ProxyFingerprint => $"3 {AgentKeys.OfProxy(this)}";

    /// <summary>The certificate and key of a service's names, in PEM, 0600.</summary>
    public string CertificateOf(Label service) => Path.Combine(State, "member", "services", $"{service}.pem");

    /// <summary>What an edge node keeps beside the registry: certificates, the ACME account, its answers, the access log.</summary>
    public string EdgeDirectory => Path.Combine(State, "edge");

    /// <summary>Certificates of public hostnames.</summary>
    public string EdgeCertificates => Path.Combine(EdgeDirectory, "certificates");

    /// <summary>Here an ACME client puts its answers for the proxy to give.</summary>
    public string AcmeRoot => Path.Combine(EdgeDirectory, "acme", "root");

    /// <summary>Named volumes of services.</summary>
    public VolumeRoot Volumes => new(Path.Combine(State, "volumes"));

    /// <summary>What the node's proxy and podman's service write.</summary>
    public string ProxyLog => Path.Combine(State, "proxy.log");

    public string PodmanLog => Path.Combine(State, "podman.log");

    public string Registry => Path.Combine(State, "registry.db");

    /// <exception cref="McpException">config.missing</exception>
    /// <exception cref="ServiceFileException">The file has mistakes; lists all of them.</exception>
    public static AgentConfig Read(string file)
    {
        if (!System.IO.File.Exists(file))
            throw Missing(file);
        var config = KeyFile.Read(System.IO.File.ReadAllText(file), file, AgentKeys.All, AgentKeys.Check);
        return config with
        {
            File = Path.GetFullPath(file),
            Podman = config.Podman.In(config.State, Detached.Launcher(config.PodmanLog)),
            Qemu = config.Qemu with { State = config.State, Launcher = [Environment.ProcessPath!, "vm"] },
        };
    }

    private static McpException Missing(string file)
    {
        var state = Path.GetDirectoryName(Path.GetFullPath(file)) ?? ".";
        var joining = Directory.Exists(Path.Combine(state, "member")) || Directory.Exists(Path.Combine(state, "member.new"));
        var begun = joining || System.IO.File.Exists(Path.Combine(state, "ca.key"));
        var what = $"there is no configuration {file}{(joining ? "; a join was interrupted" : begun ? "; an init was interrupted" : "")}";
        return new McpException(ErrorCode.ConfigMissing, what, joining
            ? $"repeat it with the same token: mcp-agent join --state {state} --master ADDRESS:PORT --token-file FILE --listen ADDRESS:PORT"
            : $"{(begun ? "repeat it" : "make one")}: mcp-agent init --state {(begun ? state : "DIR")} --listen ADDRESS:PORT");
    }
}

/// <summary>Where the node proxy listens.</summary>
public sealed record ProxyOptions
{
    /// <summary>HTTP/1.1 and WebSocket, clear text.</summary>
    public IPEndPoint Http { get; init; } = IPEndPoint.Parse("127.0.0.1:8080");

    /// <summary>TLS passed through by SNI, for l4 routes.</summary>
    public IPEndPoint Tls { get; init; } = IPEndPoint.Parse("127.0.0.1:8443");

    /// <summary>HTTP/2 without TLS, for gRPC clients on this machine; null: off.</summary>
    public IPEndPoint? H2c { get; init; }

    /// <summary>HTTP over TLS for the other nodes, with a certificate of the fleet's CA for each service's names; null: off.</summary>
    public IPEndPoint? Overlay { get; init; }

    /// <summary>Proxies before this one, which say who asks (X-Forwarded-*).</summary>
    public IReadOnlyList<IPNetwork> Trusted { get; init; } = [];
}

/// <summary>Ports of the node, from 1024 to 65535.</summary>
public sealed record PortRange(int First, int Last)
{
    private const int Least = 1024;
    private const int Most = 65535;

    /// <summary>first-last</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out PortRange? range)
    {
        var ends = text.Split('-');
        range = ends.Length == 2
            && int.TryParse(ends[0], NumberStyles.None, CultureInfo.InvariantCulture, out var first)
            && int.TryParse(ends[1], NumberStyles.None, CultureInfo.InvariantCulture, out var last)
            && first >= Least
            && last <= Most
            && first <= last
                ? new PortRange(first, last)
                : null;
        return range is not null;
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{First}-{Last}");
}
