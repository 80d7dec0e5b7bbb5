using System.Net;
using Mcp.Daemon.Alerts;
using Mcp.Master.Dns;
using Mcp.Model.Definition;
using Mcp.Model.Definition.Toml;
using Mcp.Model.Definition.Tree;
using Mcp.Model.Errors;
using Mcp.Model.Events;
using Mcp.Model.Names;
using Mcp.Model.Routes;

namespace Mcp.Master;

/// <summary>master.toml.</summary>
public sealed record MasterConfig
{
    public static readonly IReadOnlyList<string> AllRoles = ["worker", "master", "edge"];

    public required Label Name { get; init; }

    /// <summary>address:port of the gRPC server.</summary>
    public required IPEndPoint Listen { get; init; }

    /// <summary>The state directory, absolute.</summary>
    public required string State { get; init; }

    public required AllowedDomains Domains { get; init; }

    /// <summary>Between two heartbeats of a node, 100 ms to 1 min; three missed ones make it unreachable.</summary>
    public required TimeSpan Heartbeat { get; init; }

    /// <summary>Of a node's certificate; it is renewed when a third is left.</summary>
    public required TimeSpan CertificateLife { get; init; }

    /// <summary>From the switch of a moved service's names to the end of its old instances: as long as clients may keep the old
    /// address.</summary>
    public required TimeSpan Settle { get; init; }

    public required DnsOptions Dns { get; init; }

    /// <summary>Nodes that are to join, with their roles.</summary>
    public required IReadOnlyList<(Label Name, IReadOnlyList<string> Roles)> Nodes { get; init; }

    public required AlertOptions Alerts { get; init; }

    /// <exception cref="McpException">config.missing</exception>
    /// <exception cref="ServiceFileException">The file has mistakes; lists all of them.</exception>
    public static MasterConfig Read(string file)
    {
        if (!File.Exists(file))
            throw Missing(file);
        var problems = new List<Problem>();
        var fields = new TomlFields(TomlReader.Read(File.ReadAllText(file), problems), "master.toml", problems);
        var config = new MasterConfig
        {
            Name = fields.Name(fields.Required("name"), "name") ?? Label.Parse("unnamed"),
            Listen = ReadListen(fields),
            State = Path.GetFullPath(fields.Text(fields.Required("state")) ?? "."),
            Domains = new AllowedDomains(ReadDomains(fields)),
            Heartbeat = fields.Duration("heartbeat", TimeSpan.FromSeconds(10), TimeSpan.FromMinutes(1)),
            CertificateLife = fields.Duration("certificate_life", TimeSpan.FromDays(30), TimeSpan.FromDays(365)),
            Settle = fields.Duration("settle", TimeSpan.FromSeconds(5), TimeSpan.FromMinutes(10)),
            Dns = DnsOptions.Read(fields, problems),
            Nodes = ReadNodes(fields, problems),
            Alerts = AlertOptions.Read(fields, EventSource.Master, problems),
        };
        fields.RefuseUnknown();
        return problems.Count == 0 ? config : throw new ServiceFileException(file, problems);
    }

    private static McpException Missing(string file)
    {
        var state = Path.GetDirectoryName(Path.GetFullPath(file)) ?? ".";
        return File.Exists(Path.Combine(state, "ca.key"))
            ? new McpException(
                ErrorCode.ConfigMissing,
                $"there is no configuration {file}; an init was broken off",
                $"repeat it: mcp-master init --state {state} --listen ADDRESS:PORT")
            : new McpException(
                ErrorCode.ConfigMissing,
                $"there is no configuration {file}",
                "make one: mcp-master init --state DIR --listen ADDRESS:PORT");
    }

    private static IPEndPoint ReadListen(TomlFields fields)
    {
        var entry = fields.Required("listen");
        if (fields.Text(entry) is { } text && IPEndPoint.TryParse(text, out var endpoint) && endpoint.Port > 0)
            return endpoint;
        if (entry is not null)
            fields.Wrong(entry.Value, "address:port, such as 100.64.0.1:7443", "listen");
        return new IPEndPoint(IPAddress.Loopback, 1);
    }

    private static List<Hostname> ReadDomains(TomlFields fields)
    {
        var domains = new List<Hostname>();
        foreach (var (node, text) in fields.Texts("allowed_domains"))
        {
            if (Hostname.TryParse(text, out var domain))
                domains.Add(domain);
            else
                fields.Wrong(node, Hostname.Allowed, "allowed_domains");
        }

        return domains;
    }

    private static List<(Label, IReadOnlyList<string>)> ReadNodes(TomlFields fields, List<Problem> problems)
    {
        var nodes = new List<(Label, IReadOnlyList<string>)>();
        foreach (var item in fields.List("nodes"))
        {
            if (item is not TableNode table)
            {
                fields.Wrong(item, "a table: [[nodes]]", "nodes");
                continue;
            }

            var node = new TomlFields(table, "[[nodes]]", problems);
            var roles = node.Texts("roles");
            foreach (var (wrong, _) in roles.Where(r => !AllRoles.Contains(r.Value)))
                node.Wrong(wrong, string.Join(" | ", AllRoles), "roles");
            if (node.Name(node.Required("name"), "name") is { } name)
                nodes.Add((name, roles.Count == 0 ? ["worker"] : [.. roles.Select(r => r.Value)]));
            node.RefuseUnknown();
        }

        return nodes;
    }
}
