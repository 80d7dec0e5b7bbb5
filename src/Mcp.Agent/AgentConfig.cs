using System.Globalization;
using System.Net;
using Mcp.Agent.Edge;
using Mcp.Agent.Recovery;
using Mcp.Daemon.Alerts;
using Mcp.Model.Definition;
using Mcp.Model.Definition.Toml;
using Mcp.Model.Definition.Tree;
using Mcp.Model.Errors;
using Mcp.Model.Events;
using Mcp.Model.Names;
using Mcp.Runtimes.Images;
using Mcp.Runtimes.Podman;
using Mcp.Runtimes.Qemu;

namespace Mcp.Agent;

/// <summary>agent.toml.</summary>
public sealed record AgentConfig
{
    public required string File { get; init; }

    public required Label Name { get; init; }

    /// <summary>address:port of the gRPC server.</summary>
    public required string Listen { get; init; }

    /// <summary>The state directory, absolute.</summary>
    public required string State { get; init; }

    /// <summary>Below it lies each service's own directory, for push and pull.</summary>
    public required string Files { get; init; }

    /// <summary>Internal zone: a service answers as service.zone on the node proxy.</summary>
    public required string Zone { get; init; }

    /// <summary>Host ports that routes get.</summary>
    public required (int First, int Last) Ports { get; init; }

    public required ProxyOptions Proxy { get; init; }

    /// <summary>Null: this is no edge node.</summary>
    public EdgeOptions? Edge { get; init; }

    public required PodmanOptions Podman { get; init; }

    public required QemuOptions Qemu { get; init; }

    /// <summary>The VMs' bridge, and the first three numbers of its /24 network.</summary>
    public required (string Name, string Network) Bridge { get; init; }

    public required IReadOnlyList<BootStage> Boot { get; init; }

    public required AlertOptions Alerts { get; init; }

    private static readonly Dictionary<string, Acceleration> s_accelerations = new()
    {
        ["auto"] = Acceleration.Auto,
        ["kvm"] = Acceleration.Kvm,
        ["tcg"] = Acceleration.Tcg,
    };

    public string ProxySocket => Path.Combine(State, "proxy.sock");

    public string ProxyPidFile => Path.Combine(State, "proxy.pid");

    /// <summary>What the running proxy was started with.</summary>
    public string ProxyOptionsFile => Path.Combine(State, "proxy.options");

    /// <summary>Everything of this file that the proxy reads at its start.</summary>
    // The number: what the agent tells the proxy. 2: held routes.
    public string ProxyFingerprint => $"2 {Proxy} {Edge}";

    /// <summary>The certificate and key of a service's names, in PEM, 0600.</summary>
    public string CertificateOf(Label service) => Path.Combine(State, "member", "services", $"{service}.pem");

    /// <summary>What an edge node keeps beside the registry: certificates, the ACME account, its answers, the access log.</summary>
    public string EdgeDirectory => Path.Combine(State, "edge");

    /// <summary>Certificates of public hostnames.</summary>
    public string EdgeCertificates => Path.Combine(EdgeDirectory, "certificates");

    /// <summary>Here an ACME client puts its answers for the proxy to give.</summary>
    public string AcmeRoot => Path.Combine(EdgeDirectory, "acme", "root");

    public string Registry => Path.Combine(State, "registry.db");

    /// <exception cref="McpException">config.missing</exception>
    /// <exception cref="ServiceFileException">The file has mistakes; lists all of them.</exception>
    public static AgentConfig Read(string file)
    {
        if (!System.IO.File.Exists(file))
            throw Missing(file);
        var problems = new List<Problem>();
        var root = TomlReader.Read(System.IO.File.ReadAllText(file), problems);
        var fields = new TomlFields(root, "agent.toml", problems);
        var state = Path.GetFullPath(fields.Text(fields.Required("state")) ?? ".");
        var qemu = new TomlFields(fields.Inner("qemu") ?? new TableNode(1, 1, new Entries()), "[qemu]", problems);
        var config = new AgentConfig
        {
            File = Path.GetFullPath(file),
            Name = ReadName(fields, problems),
            Listen = ReadEndpoint(fields, fields.Required("listen"), problems) ?? "",
            State = state,
            Files = Path.GetFullPath(fields.Text(fields.Entry("files")) ?? "/srv"),
            Zone = fields.Text(fields.Entry("zone")) ?? "mcp.internal",
            Ports = ReadPorts(fields, problems),
            Proxy = ReadProxy(fields, problems),
            Edge = EdgeOptions.Read(fields, problems),
            Podman = ReadPodman(fields, state, problems),
            Qemu = ReadQemu(qemu, state),
            Bridge = ReadBridge(qemu),
            Boot = [.. fields.Inner("boot") is { } boot ? ReadBoot(new TomlFields(boot, "[boot]", problems), problems) : []],
            Alerts = AlertOptions.Read(fields, EventSource.Agent, problems),
        };
        fields.RefuseUnknown();
        qemu.RefuseUnknown();
        return problems.Count == 0 ? config : throw new ServiceFileException(file, problems);
    }

    private static McpException Missing(string file)
    {
        var state = Path.GetDirectoryName(Path.GetFullPath(file)) ?? ".";
        var joining = Directory.Exists(Path.Combine(state, "member")) || Directory.Exists(Path.Combine(state, "member.new"));
        var begun = joining || System.IO.File.Exists(Path.Combine(state, "ca.key"));
        var what = $"there is no configuration {file}{(joining ? "; a join was broken off" : begun ? "; an init was broken off" : "")}";
        return new McpException(ErrorCode.ConfigMissing, what, joining
            ? $"repeat it with the same token: mcp-agent join --state {state} --master ADDRESS:PORT --token-file FILE --listen ADDRESS:PORT"
            : $"{(begun ? "repeat it" : "make one")}: mcp-agent init --state {(begun ? state : "DIR")} --listen ADDRESS:PORT");
    }

    private static Label ReadName(TomlFields fields, List<Problem> problems)
    {
        var entry = fields.Required("name");
        if (Label.TryParse(fields.Text(entry), out var label))
            return label;
        if (entry is not null)
            problems.Add(new Problem(entry.Line, entry.Column, "wrong value of 'name'", "", Label.Allowed));
        return Label.Parse("unnamed");
    }

    private static (int First, int Last) ReadPorts(TomlFields fields, List<Problem> problems)
    {
        var entry = fields.Entry("ports");
        var range = (fields.Text(entry) ?? "20000-29999").Split('-');
        if (range.Length == 2
            && int.TryParse(range[0], CultureInfo.InvariantCulture, out var first)
            && int.TryParse(range[1], CultureInfo.InvariantCulture, out var last)
            && first >= 1024
            && last <= 65535
            && first <= last)
        {
            return (first, last);
        }

        problems.Add(new Problem(
            entry?.Line ?? 1,
            entry?.Column ?? 1,
            "wrong value of 'ports'",
            Label.Clip(string.Join('-', range)),
            "first-last, from 1024 to 65535"));
        return (0, 0);
    }

    private static ProxyOptions ReadProxy(TomlFields fields, List<Problem> problems)
    {
        var proxy = new TomlFields(fields.Inner("proxy") ?? new TableNode(1, 1, new Entries()), "[proxy]", problems);
        var options = new ProxyOptions(
            ReadEndpoint(proxy, proxy.Entry("http"), problems) ?? "127.0.0.1:8080",
            ReadEndpoint(proxy, proxy.Entry("tls"), problems) ?? "127.0.0.1:8443",
            ReadEndpoint(proxy, proxy.Entry("h2c"), problems),
            ReadEndpoint(proxy, proxy.Entry("overlay"), problems));
        proxy.RefuseUnknown();
        return options;
    }

    private static PodmanOptions ReadPodman(TomlFields fields, string state, List<Problem> problems)
    {
        var podman = new TomlFields(fields.Inner("podman") ?? new TableNode(1, 1, new Entries()), "[podman]", problems);
        var socket = podman.Text(podman.Entry("socket"));
        var options = new PodmanOptions(
            socket ?? Path.Combine(state, "podman.sock"),
            socket is null,
            podman.Text(podman.Entry("root")),
            podman.Text(podman.Entry("runroot")),
            podman.Text(podman.Entry("containers_conf")),
            podman.Duration("pull_limit", TimeSpan.FromMinutes(10), TimeSpan.FromHours(6)))
        { Launcher = Detached.Launcher(Path.Combine(state, "podman.log")) };
        podman.RefuseUnknown();
        return options;
    }

    private static QemuOptions ReadQemu(TomlFields qemu, string state) => new(state, [Environment.ProcessPath!, "vm"])
    {
        Program = qemu.Text(qemu.Entry("program")) ?? "qemu-system-x86_64",
        Acceleration = qemu.Choice("accel", s_accelerations, Acceleration.Auto),
        Kernel = qemu.Text(qemu.Entry("kernel")),
        Ops = qemu.Text(qemu.Entry("ops")) ?? "ops",
        User = qemu.Text(qemu.Entry("user")),
        AuthFile = qemu.Text(qemu.Entry("auth_file")),
        BuildLimit = qemu.Duration("build_limit", TimeSpan.FromMinutes(5), TimeSpan.FromHours(1)),
        PullLimit = qemu.Duration("pull_limit", TimeSpan.FromMinutes(10), TimeSpan.FromHours(6)),
        ConsoleBytes = (qemu.Integer("console_mb", 1, 1024) ?? 10) * 1024L * 1024,
        ImageLimits = new ImageLimits(
            qemu.Integer("image_max_mb", 1, 1024 * 1024) * 1024L * 1024 ?? ImageLimits.Default.MaxBytes,
            qemu.Integer("image_max_entries", 1, 100_000_000) ?? ImageLimits.Default.MaxEntries),
    };

    private static (string Name, string Network) ReadBridge(TomlFields qemu)
    {
        var name = qemu.Entry("bridge");
        if (name is not null
            && (qemu.Text(name) is not { Length: > 0 and <= 15 } text
                || !text.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.' or '_')))
        {
            qemu.Wrong(name.Value, "1 to 15 letters, digits, '-', '.', '_'", "bridge");
        }

        var network = qemu.Entry("bridge_network");
        if (network is not null
            && !(qemu.Text(network) is { } three && three.Split('.').Length == 3 && IPAddress.TryParse(three + ".1", out _)))
        {
            qemu.Wrong(network.Value, "the first three numbers of a /24 network, such as \"10.87.0\"", "bridge_network");
        }

        return (qemu.Text(name) ?? "mcp-br0", qemu.Text(network) ?? "10.87.0");
    }

    private static List<BootStage> ReadBoot(TomlFields boot, List<Problem> problems)
    {
        var stages = new List<BootStage>();
        foreach (var item in boot.List("sequence"))
        {
            if (item is not TableNode table)
            {
                boot.Wrong(item, "a table: [[boot.sequence]]", "sequence");
                continue;
            }

            var stage = new TomlFields(table, "[[boot.sequence]]", problems);
            var services = new List<Label>();
            foreach (var (node, text) in stage.Texts("services"))
            {
                if (Label.TryParse(text, out var service))
                    services.Add(service);
                else
                    stage.Wrong(node, Label.Allowed, "services");
            }

            if (services.Count == 0)
                stage.Wrong(item, "at least one service", "services");
            stages.Add(new BootStage(services, stage.Duration("timeout", TimeSpan.FromMinutes(1), TimeSpan.FromHours(1))));
            stage.RefuseUnknown();
        }

        boot.RefuseUnknown();
        return stages;
    }

    private static string? ReadEndpoint(TomlFields fields, Entry? entry, List<Problem> problems)
    {
        if (fields.Text(entry) is not { } text)
            return null;
        if (!IPEndPoint.TryParse(text, out var endpoint) || endpoint.Port == 0)
        {
            problems.Add(new Problem(
                entry!.Line,
                entry.Column,
                "not an address with port",
                Label.Clip(text),
                "address:port, such as 127.0.0.1:7443"));
        }

        return text;
    }
}

/// <summary>Where the node proxy listens, each address:port.</summary>
/// <param name="Http">HTTP/1.1 and WebSocket, clear text.</param>
/// <param name="Tls">TLS passed through by SNI, for l4 routes.</param>
/// <param name="H2c">HTTP/2 without TLS, for gRPC clients on this machine; null: off.</param>
/// <param name="Overlay">HTTP over TLS for the other nodes, with a certificate of the fleet's CA for each service's names; null:
/// off.</param>
public sealed record ProxyOptions(string Http, string Tls, string? H2c, string? Overlay);
