using System.Globalization;
using System.Net.Sockets;

namespace Mcp.Agent.Proxy;

/// <summary>The control sockets of this node's proxies. Each has its own, p.PROCESS; proxy.sock is a link to that of the one which takes
/// connections, swapped as one. The others have given their listening sockets away and carry what they have to its end.</summary>
internal sealed class ControlSockets(AgentConfig config)
{
    // Not longer than proxy.sock, whatever the number: the kernel takes 107 bytes for the path of a socket.
    private const string Prefix = "p.";

    public string Of(int process) => Path.Combine(config.State, Name(process));

    /// <summary>The process that proxy.sock leads to; null: there is none, or one of an older version.</summary>
    public int? Leader => new FileInfo(config.ProxySocket).LinkTarget is { } target ? Process(target) : null;

    /// <summary>False: somebody has deleted it.</summary>
    public bool IsThere => Leader is { } leader ? File.Exists(Of(leader)) : File.Exists(config.ProxySocket);

    /// <summary>The processes of the others. What those left that were killed is removed.</summary>
    public IReadOnlyList<int> Others()
    {
        var leader = Leader;
        var others = new List<int>();
        foreach (var file in Directory.GetFileSystemEntries(config.State, $"{Prefix}*").Concat(
            Directory.GetFileSystemEntries(config.State, $"{Path.GetFileName(config.ProxySocket)}.*")))
        {
            if (Process(Path.GetFileName(file)) is not { } process || process == leader)
                continue;
            if (!IsProxy(process))
                File.Delete(file);
            else if (file == Of(process))
                others.Add(process);
        }

        return others;
    }

    /// <summary>From now on that process is the proxy.</summary>
    public void Lead(int process)
    {
        var made = $"{config.ProxySocket}.{process.ToString(CultureInfo.InvariantCulture)}";
        File.Delete(made);
        File.CreateSymbolicLink(made, Name(process));
        File.Move(made, config.ProxySocket, overwrite: true);
    }

    /// <summary>It runs, and is a proxy of this agent: numbers of processes come again.</summary>
    public bool IsProxy(int process)
    {
        try
        {
            var arguments = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{process}/cmdline")).Split('\0');
            return arguments.Contains("proxy") && arguments.Contains(config.File);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    public static async ValueTask<Stream> ConnectAsync(string path, CancellationToken ct)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), ct);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static string Name(int process) => string.Create(CultureInfo.InvariantCulture, $"{Prefix}{process}");

    private static int? Process(string name) =>
        int.TryParse(name.AsSpan(name.LastIndexOf('.') + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var process)
            ? process
            : null;
}
