using System.Net;
using Mcp.Agent.Edge;
using Mcp.Agent.Membership;
using Mcp.Agent.Proxy;
using Mcp.Daemon.Identity;
using Mcp.Machine;
using Mcp.Model.Definition.Keys;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Model.Placement;

namespace Mcp.Agent;

/// <summary>`mcp-agent init`: state directory (0700), CA, server certificate, token key, admin token, agent.toml. Refuses a directory that
/// has agent.toml; keys that are there are kept.</summary>
internal static class AgentInit
{
    private const int OverlayPort = 8444;

    public static int Run(string state, string listen, string name, TimeProvider time, TextWriter output)
    {
        state = Path.GetFullPath(state);
        if (!IPEndPoint.TryParse(listen, out var endpoint) || endpoint.Port == 0)
            throw new McpException(ErrorCode.InitListen, $"'{Label.Clip(listen)}' is not an address with port", "such as 127.0.0.1:7443");
        var label = Label.Parse(name);
        var config = Path.Combine(state, "agent.toml");
        if (File.Exists(config))
            throw new McpException(ErrorCode.InitExists, $"{state} is set up already", "run it: mcp-agent run --config " + config);
        Directory.CreateDirectory(state, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        using (var authority = StateKeys.Make(state, "registry.db", $"mcp {name}", time))
        {
            File.Delete(Path.Combine(state, "server.pem"));
            ServerCertificate.Create(state, authority, ServerNames.Of(endpoint, name), time.GetUtcNow());
        }

        // Written last: a directory with agent.toml is complete.
        WriteConfig(config, state, endpoint, label, overlay: null);
        foreach (var taken in PortsTaken.Of(AgentConfig.Read(config)))
            output.WriteLine($"note: {taken}; give one of them another address before the agent is started");
        output.WriteLine($"""
            {state} is set up. Start the agent:
              mcp-agent run --config {config}
            and log in:
              mcp login --direct {listen} --ca {Path.Combine(state, "ca.crt")} --token-file {Path.Combine(state, "admin.token")}
            """);
        return 0;
    }

    /// <summary>`mcp-agent join`: makes the state directory where there is none, and joins. An agent that was alone keeps its
    /// services.</summary>
    public static async Task<int> JoinAsync(
        string state,
        string master,
        string tokenFile,
        string? listen,
        string? name,
        TextWriter output,
        CancellationToken ct)
    {
        state = Path.GetFullPath(state);
        var config = Path.Combine(state, "agent.toml");
        var fresh = config + WholeFile.Half;
        var made = !File.Exists(config);
        var directoryMade = !Directory.Exists(state);
        if (made)
        {
            if (listen is null || !IPEndPoint.TryParse(listen, out var endpoint) || endpoint.Port == 0)
            {
                throw new McpException(
                    ErrorCode.InitListen,
                    $"'{Label.Clip(listen)}' is not an address with port",
                    "--listen: where this agent is reached in the overlay, such as 100.64.0.2:7443");
            }

            var label = Label.Parse(name ?? Environment.MachineName.Split('.')[0].ToLowerInvariant());
            Directory.CreateDirectory(state, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            WriteConfig(fresh, state, endpoint, label, new IPEndPoint(endpoint.Address, OverlayPort));
        }

        var agent = await JoinedAsync(state, made ? fresh : config, (made, directoryMade), master, tokenFile, ct);
        if (Member.RolesOf(state).Contains(NodeRole.Edge) && agent.Edge is null)
            OpenEdge(made ? fresh : config);
        // Last: a directory with agent.toml is complete.
        if (made)
            WholeFile.Place(fresh, config);
        await output.WriteLineAsync($"""
            {agent.Name} has joined the fleet of {master}. Start the agent, or restart it:
              mcp-agent run --config {config}
            """);
        return 0;
    }

    // The master would refuse the heartbeats of another name.
    private static AgentConfig SameName(AgentConfig agent, string state)
    {
        if (Member.NameOf(state) is { } known && known != agent.Name.Text)
        {
            throw new McpException(
                ErrorCode.JoinMember,
                $"{state} joined that fleet as {known}, not as {agent.Name}",
                $"repeat it with --name {known}; to join again, remove {Member.DirectoryOf(state)} first");
        }

        return agent;
    }

    private static async Task<string> TokenAsync(string file, CancellationToken ct)
    {
        if (file != "-" && !File.Exists(file))
            throw new McpException(ErrorCode.Usage, $"there is no file '{file}' with a join token", "make one: mcp node join-token");
        var text = file == "-" ? await Console.In.ReadToEndAsync(ct) : await File.ReadAllTextAsync(file, ct);
        return JoinToken.TryParse(text, out _)
            ? text
            : throw new McpException(
                ErrorCode.Usage,
                $"{(file == "-" ? "standard input" : file)} holds no join token",
                "make one: mcp node join-token");
    }

    // What was made for a join that failed goes again; the key that the master may know by now stays in member.new for the next try.
    private static async Task<AgentConfig> JoinedAsync(
        string state, string config, (bool Config, bool Directory) made, string master, string tokenFile, CancellationToken ct)
    {
        try
        {
            var agent = AgentConfig.Read(config);
            var address = agent.Listen.Address;
            if (address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any))
            {
                throw new McpException(
                    ErrorCode.JoinAddress,
                    $"the agent listens on {agent.Listen}, and the master needs one address to reach it",
                    made.Config ? "--listen: this node's overlay address" : $"write this node's overlay address into {config}");
            }

            // An earlier call was killed between the master's answer and agent.toml: the node is a member, only its file was missing.
            if (made.Config && Member.MasterOf(state) == master)
                return SameName(agent, state);
            var token = await TokenAsync(tokenFile, ct);
            await Joining.RunAsync(state, master, token, agent.Name.Text, agent.Listen.ToString(), ct);
            return agent;
        }
        catch when (made.Config)
        {
            File.Delete(config);
            if (made.Directory && !Directory.EnumerateFileSystemEntries(state).Any())
                Directory.Delete(state);
            throw;
        }
    }

    // What the role says is what the node does: a section of a table that was not there goes to the end of the file.
    private static void OpenEdge(string file)
    {
        var section = KeyTemplate.Section("edge", "This node lets the public in.", AgentKeys.Edge, new EdgeOptions());
        WholeFile.Replace(file, $"{File.ReadAllText(file)}\n{section}");
    }

    /// <param name="overlay">Where the other nodes of a fleet reach its services; null: it is in none.</param>
    private static void WriteConfig(string file, string state, IPEndPoint listen, Label name, IPEndPoint? overlay)
    {
        var config = new AgentConfig { Name = name, Listen = listen, State = state, Proxy = new ProxyOptions { Overlay = overlay } };
        WholeFile.Replace(file, KeyTemplate.Write(AgentKeys.All, config));
    }
}
