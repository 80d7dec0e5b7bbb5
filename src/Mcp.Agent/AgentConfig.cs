using System.Globalization;
using Mcp.Model;
using Mcp.Model.Definition;
using Mcp.Model.Definition.Toml;
using Mcp.Model.Names;
using Mcp.Runtimes.Podman;

namespace Mcp.Agent;

/// <summary>agent.toml.</summary>
/// <param name="Listen">address:port of the gRPC server.</param>
/// <param name="ProxyHttp">address:port of the node proxy.</param>
/// <param name="Zone">Internal zone: a service answers as service.zone on the node proxy.</param>
public sealed record AgentConfig(string File, Label Name, string Listen, string State, string ProxyHttp, string Zone, (int First, int Last) Ports, PodmanOptions Podman)
{
    public string ProxySocket => Path.Combine(State, "proxy.sock");

    public string ProxyPidFile => Path.Combine(State, "proxy.pid");

    public string Registry => Path.Combine(State, "registry.db");

    /// <exception cref="ServiceFileException">The file has mistakes; lists all of them.</exception>
    public static AgentConfig Read(string file)
    {
        if (!System.IO.File.Exists(file))
            throw new McpException("config.missing", $"there is no configuration {file}", "make one: mcp-agent init --state DIR --listen ADDRESS:PORT");
        var problems = new List<Problem>();
        var root = TomlReader.Read(System.IO.File.ReadAllText(file), file, problems);
        var fields = new TomlFields(root, "agent.toml", problems);
        var state = Path.GetFullPath(fields.Text(fields.Required("state")) ?? ".");
        var name = fields.Text(fields.Required("name"));
        var listen = fields.Text(fields.Required("listen"));
        var proxy = fields.Text(fields.Entry("proxy_http")) ?? "127.0.0.1:8080";
        var zone = fields.Text(fields.Entry("zone")) ?? "mcp.internal";
        var range = (fields.Text(fields.Entry("ports")) ?? "20000-29999").Split('-');
        var podman = new TomlFields(fields.Inner("podman") ?? new TomlTable(1, 1, []), "[podman]", problems);
        var socket = podman.Text(podman.Entry("socket"));
        var options = new PodmanOptions(socket ?? Path.Combine(state, "podman.sock"), socket is null, podman.Text(podman.Entry("root")), podman.Text(podman.Entry("runroot")),
            podman.Text(podman.Entry("containers_conf")), podman.Duration("pull_limit", TimeSpan.FromMinutes(10), TimeSpan.FromHours(6)));
        podman.RefuseUnknown();
        fields.RefuseUnknown();
        var first = 0;
        var last = 0;
        if (!Label.TryParse(name, out var label))
            problems.Add(new Problem(1, 1, "wrong value of 'name'", Label.Clip(name), Label.Allowed));
        if (range.Length != 2 || !int.TryParse(range[0], CultureInfo.InvariantCulture, out first) || !int.TryParse(range[1], CultureInfo.InvariantCulture, out last) || first < 1024 || last > 65535 || first > last)
            problems.Add(new Problem(1, 1, "wrong value of 'ports'", string.Join('-', range), "first-last, from 1024 to 65535"));
        foreach (var address in new[] { listen, proxy })
        {
            if (!System.Net.IPEndPoint.TryParse(address ?? "", out var endpoint) || endpoint.Port == 0)
                problems.Add(new Problem(1, 1, "not an address with port", Label.Clip(address), "address:port, such as 127.0.0.1:7443"));
        }

        return problems.Count == 0
            ? new AgentConfig(Path.GetFullPath(file), label!, listen!, state, proxy, zone, (first, last), options)
            : throw new ServiceFileException(file, problems);
    }
}
