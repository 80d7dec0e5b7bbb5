using System.Net;
using System.Text;
using Mcp.Model.Definition;
using Mcp.Model.Definition.Toml;
using Mcp.Model.Definition.Tree;
using Mcp.Model.Errors;
using Mcp.Model.Names;

namespace Mcp.Master.Dns;

public enum DnsKind { Builtin, Rfc2136, None }

/// <summary>[dns] of master.toml, and the zone.</summary>
public sealed record DnsOptions
{
    public const int DnsPort = 53;
    private const UnixFileMode Others =
        UnixFileMode.GroupRead | UnixFileMode.OtherRead | UnixFileMode.GroupWrite | UnixFileMode.OtherWrite;

    private static readonly Dictionary<string, DnsKind> s_kinds = new()
    {
        ["builtin"] = DnsKind.Builtin,
        ["rfc2136"] = DnsKind.Rfc2136,
        ["none"] = DnsKind.None,
    };

    public required DnsKind Kind { get; init; }

    /// <summary>Below it services have their names.</summary>
    public required Hostname Zone { get; init; }

    /// <summary>How long clients may keep an address; a service that moves waits for it (settle).</summary>
    public required TimeSpan Ttl { get; init; }

    /// <summary>builtin: where it is served; null: port 53 of the master's own address.</summary>
    public IPEndPoint? Listen { get; init; }

    /// <summary>builtin: questions a second that one source may ask over UDP; 0: no limit.</summary>
    public int RateLimit { get; init; }

    /// <summary>rfc2136: the zone's primary.</summary>
    public IPEndPoint? Server { get; init; }

    /// <summary>rfc2136: of the TSIG key (HMAC-SHA256).</summary>
    public string KeyName { get; init; } = "";

    /// <summary>rfc2136: the file with the key's secret in base64, readable by its owner only.</summary>
    public string KeyFile { get; init; } = "";

    /// <summary>address:port of the server that knows the services' names; empty: none of ours.</summary>
    /// <param name="master">Where the master listens.</param>
    public string Resolver(IPEndPoint master) => Kind switch
    {
        DnsKind.Builtin => (Listen ?? new IPEndPoint(master.Address, DnsPort)).ToString(),
        DnsKind.Rfc2136 => Server!.ToString(),
        DnsKind.None => "",
    };

    internal static DnsOptions Read(TomlFields root, List<Problem> problems)
    {
        var dns = new TomlFields(root.Inner("dns") ?? new TableNode(1, 1, new Entries()), "[dns]", problems);
        var zone = root.Entry("zone");
        // Names below node.mcp are identities of nodes: no service may get a certificate for one.
        if (!Hostname.TryParse(zone is null ? "mcp.internal" : root.Text(zone), out var origin)
            || $".{origin}".EndsWith(".node.mcp", StringComparison.Ordinal))
        {
            root.Wrong(zone!.Value, $"{Hostname.Allowed}; not node.mcp", "zone");
        }

        var kind = dns.Choice("provider", s_kinds, DnsKind.Builtin);
        var remote = kind == DnsKind.Rfc2136;
        var options = new DnsOptions
        {
            Kind = kind,
            Zone = origin ?? (Hostname.TryParse("mcp.internal", out var usual) ? usual : throw new InvalidOperationException()),
            Ttl = dns.Duration("ttl", TimeSpan.FromSeconds(5), TimeSpan.FromDays(1)),
            Listen = Endpoint(dns, "listen", required: false),
            RateLimit = dns.Integer("rate_limit", 0, 10_000_000) ?? 1000,
            Server = Endpoint(dns, "server", remote),
            KeyName = dns.Text(remote ? dns.Required("key_name") : dns.Entry("key_name")) ?? "",
            KeyFile = dns.Text(remote ? dns.Required("key_file") : dns.Entry("key_file")) ?? "",
        };
        if (remote && options.KeyName.Length > 0 && !options.KeyName.Split('.').All(l => Label.TryParse(l, out _)))
            dns.Wrong(dns.Entry("key_name")!.Value, "labels of a-z, 0-9 and '-' joined by dots", "key_name");
        dns.RefuseUnknown();
        return options;
    }

    /// <summary>The secret of the TSIG key.</summary>
    /// <exception cref="McpException">dns.key</exception>
    public byte[] Secret()
    {
        try
        {
            if ((File.GetUnixFileMode(KeyFile) & Others) != 0)
                throw new McpException(ErrorCode.DnsKey, $"others may read or write {KeyFile}", $"chmod 600 {KeyFile}");
            return Convert.FromBase64String(File.ReadAllText(KeyFile, Encoding.ASCII).Trim());
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException)
        {
            throw new McpException(
                ErrorCode.DnsKey,
                $"cannot read the secret in {KeyFile}: {e.Message}",
                "[dns] key_file: the TSIG key's secret in base64, mode 0600",
                e);
        }
    }

    private static IPEndPoint? Endpoint(TomlFields dns, string key, bool required)
    {
        var entry = required ? dns.Required(key) : dns.Entry(key);
        if (entry is null)
            return null;
        if (IPEndPoint.TryParse(dns.Text(entry) ?? "", out var endpoint) && endpoint.Port > 0)
            return endpoint;
        dns.Wrong(entry.Value, "address:port, such as 100.64.0.1:53", key);
        return null;
    }
}
