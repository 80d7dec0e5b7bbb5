using System.Net;
using Mcp.Daemon.Identity;
using Mcp.Machine;
using Mcp.Master.Dns;
using Mcp.Model.Definition.Keys;
using Mcp.Model.Errors;
using Mcp.Model.Names;

namespace Mcp.Master;

/// <summary>`mcp-master init`: state directory (0700), the fleet's CA, token key, admin token, master.toml. Refuses a directory that has
/// master.toml; keys that are there are kept.</summary>
internal static class MasterInit
{
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
        StateKeys.Make(state, "master.db", $"mcp fleet {label}", time).Dispose();
        // Written last: a directory with master.toml is complete.
        var dns = new DnsOptions { Listen = new IPEndPoint(endpoint.Address, DnsOptions.DnsPort) };
        var first = new MasterConfig { Name = label, Listen = endpoint, State = state, Dns = dns };
        WholeFile.Replace(config, KeyTemplate.Write(MasterKeys.All, first));
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
