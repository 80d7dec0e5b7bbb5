using System.Net;
using Mcp.Daemon.Identity;
using Mcp.Machine;
using Mcp.Model.Errors;
using Mcp.Model.Names;

namespace Mcp.Master;

/// <summary>`mcp-master init`: state directory (0700), the fleet's CA, token key, admin token, master.toml. Refuses a directory that has
/// them.</summary>
internal static class MasterInit
{
    private static readonly TimeSpan s_adminLife = TimeSpan.FromDays(365);

    public static int Run(string state, string listen, string name, TimeProvider time, TextWriter output)
    {
        state = Path.GetFullPath(state);
        if (!IPEndPoint.TryParse(listen, out var endpoint) || endpoint.Port == 0)
            throw new McpException(ErrorCode.InitListen, $"'{Label.Clip(listen)}' is not an address with port", "such as 100.64.0.1:7443");
        var label = Label.Parse(name);
        var config = Path.Combine(state, "master.toml");
        if (File.Exists(config))
            throw new McpException(ErrorCode.InitExists, $"{state} is set up already", "run it: mcp-master run --config " + config);
        Directory.CreateDirectory(state, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        foreach (var half in (string[])["ca.key", "token.key", "admin.token"])
            File.Delete(Path.Combine(state, half));
        using var authority = CertificateAuthority.Create(state, $"mcp fleet {label}", time.GetUtcNow());
        var key = TokenSigner.NewKey();
        WholeFile.Create(Path.Combine(state, "token.key"), key);
        WholeFile.Create(Path.Combine(state, "admin.token"), new TokenSigner(key, time).Issue("admin", Role.Admin, s_adminLife));
        // Written last: a directory with master.toml is complete.
        WholeFile.Replace(config, $"""
            name = "{label}"
            listen = "{listen}"
            state = "{state}"
            allowed_domains = []                   # public routes must lie in these, such as "example.com"
            heartbeat = "10s"                      # a node that misses three is unreachable
            certificate_life = "720h"              # of nodes; renewed by themselves
            settle = "5s"                          # a service that moves: how long its old instances go on after the switch
            zone = "mcp.internal"                  # SERVICE.zone and COMPONENT.SERVICE.zone are the address of the service's node

            [dns]
            provider = "builtin"                   # builtin: the master answers for the zone | rfc2136: another server is told | none
            listen = "{new IPEndPoint(endpoint.Address, 53)}"
            # rate_limit = 1000                    # questions a second that one source may ask over UDP; 0: no limit
            # server = "100.64.0.9:53"             # rfc2136: BIND, Knot, PowerDNS
            # key_name = "mcp"                     # its TSIG key, HMAC-SHA256
            # key_file = "/etc/mcp/tsig.key"       # the secret in base64, mode 0600

            # [[nodes]]                            # nodes that are to join, with their roles: worker, master, edge
            # name = "rift"
            # roles = ["worker"]

            # [alerts]                             # the event is in MCP_EVENT, MCP_SERVICE, MCP_COMPONENT, MCP_DETAIL, MCP_NODE, MCP_TIME
            # command = ["/usr/local/bin/alert"]
            # on = ["node.unreachable", "deploy.failed"]    # instead of the usual kinds; all are in docs/events.md
            """ + "\n");
        output.WriteLine($"""
            {state} is set up. Start the master:
              mcp-master run --config {config}
            log in:
              mcp login --master {listen} --ca {Path.Combine(state, "ca.crt")} --token-file {Path.Combine(state, "admin.token")}
            and let nodes join:
              mcp node join-token
            """);
        return 0;
    }
}
