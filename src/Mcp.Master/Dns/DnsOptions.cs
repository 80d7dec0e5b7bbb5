using System.Net;
using System.Text;
using Mcp.Model.Errors;

namespace Mcp.Master.Dns;

public enum DnsKind { Builtin, Rfc2136, None }

/// <summary>[dns] of master.toml.</summary>
public sealed record DnsOptions
{
    public const int DnsPort = 53;
    private const UnixFileMode Others =
        UnixFileMode.GroupRead | UnixFileMode.OtherRead | UnixFileMode.GroupWrite | UnixFileMode.OtherWrite;

    public DnsKind Kind { get; init; } = DnsKind.Builtin;

    /// <summary>How long clients may keep an address; a service that moves waits for it (settle).</summary>
    public TimeSpan Ttl { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>builtin: where it is served; null: port 53 of the master's own address.</summary>
    public IPEndPoint? Listen { get; init; }

    /// <summary>builtin: questions a second that one source may ask over UDP; 0: no limit.</summary>
    public int RateLimit { get; init; } = 1000;

    /// <summary>rfc2136: the zone's primary.</summary>
    public IPEndPoint? Server { get; init; }

    /// <summary>rfc2136: of the TSIG key (HMAC-SHA256).</summary>
    public string? KeyName { get; init; }

    /// <summary>rfc2136: the file with the key's secret in base64, readable by its owner only.</summary>
    public string? KeyFile { get; init; }

    /// <summary>address:port of the server that knows the services' names; empty: none of ours.</summary>
    /// <param name="master">Where the master listens.</param>
    public string Resolver(IPEndPoint master) => Kind switch
    {
        DnsKind.Builtin => (Listen ?? new IPEndPoint(master.Address, DnsPort)).ToString(),
        DnsKind.Rfc2136 => Server!.ToString(),
        DnsKind.None => "",
    };

    /// <summary>The secret of the TSIG key.</summary>
    /// <exception cref="McpException">dns.key</exception>
    public byte[] Secret()
    {
        try
        {
            if ((File.GetUnixFileMode(KeyFile!) & Others) != 0)
                throw new McpException(ErrorCode.DnsKey, $"others may read or write {KeyFile}", $"chmod 600 {KeyFile}");
            return Convert.FromBase64String(File.ReadAllText(KeyFile!, Encoding.ASCII).Trim());
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
}
