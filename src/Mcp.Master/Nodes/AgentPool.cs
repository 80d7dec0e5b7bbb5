using System.Collections.Concurrent;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;
using Mcp.Daemon.Doors;
using Mcp.Daemon.Identity;
using Mcp.Master.Store;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Protocol.Errors;

namespace Mcp.Master.Nodes;

/// <summary>One channel for each node, kept alive and opened again by itself. No call waits for a dead node longer than its own
/// deadline.</summary>
/// <param name="identity">Asked at the first call: the pool is there before the master's certificate is.</param>
public sealed class AgentPool(Func<FleetIdentity> identity, TimeProvider time) : IDisposable
{
    private readonly ConcurrentDictionary<Label, Connection> _connections = new();

    /// <exception cref="McpException">node.expected: it has not joined yet.</exception>
    public Protocol.V1.Agent.AgentClient Of(StoredNode node)
    {
        if (node.Address.Length == 0)
        {
            throw new McpException(
                ErrorCode.NodeExpected,
                $"node {node.Name} has not joined yet",
                "mcp node join-token, then mcp-agent join there");
        }

        var own = identity().Own;
        while (true)
        {
            var there = _connections.GetOrAdd(
                node.Name,
                _ => new Connection(
                    node.Address,
                    node.Key,
                    own.Thumbprint,
                    PeerTls.Channel(
                        node.Address,
                        new PeerName(node.Name, false).TlsName,
                        identity().Authority,
                        own,
                        BoundedAnswers.Longest)));
            if (there.Address == node.Address && there.Key == node.Key && there.Own == own.Thumbprint)
                return there.Client;
            // It has moved, joined anew, or our certificate was renewed.
            if (_connections.TryRemove(KeyValuePair.Create(node.Name, there)))
                there.Channel.Dispose();
        }
    }

    /// <summary>Options of one call.</summary>
    public CallOptions Within(TimeSpan limit, CancellationToken ct) =>
        new(deadline: time.GetUtcNow().UtcDateTime + limit, cancellationToken: ct);

    /// <summary>What an agent's refusal, or its silence, means to the operator.</summary>
    public static McpException Explain(Label node, RpcException e)
    {
        // A connection that broke under a call is no answer of the agent's either.
        // Cancelled, by none of our callers: connecting took too long.
        var silent = e.StatusCode is StatusCode.DeadlineExceeded or StatusCode.Cancelled
            ? "does not answer in time"
            : e.StatusCode == StatusCode.Unavailable
                || e.Status.DebugException is HttpRequestException or IOException ? "cannot be reached" : null;
        if (silent is not null)
            return new McpException(ErrorCode.NodeUnreachable, $"node {node} {silent}", "mcp node list shows which nodes are there", e);
        var code = ErrorTrailers.CodeOf(e);
        var detail = Texts.Cut(e.Status.Detail);
        if (code is null && e.StatusCode == StatusCode.ResourceExhausted)
        {
            return new McpException(
                ErrorCode.NodeAnswer,
                $"node {node} sent more than is allowed: {detail}",
                "its agent may be broken, or is not mcp-agent; its log on the node says more; mcp node cordon keeps new services away",
                e);
        }

        return new McpException(code ?? ErrorCode.NodeFailed, $"node {node}: {detail}", Texts.Cut(ErrorTrailers.HintOf(e)), e);
    }

    public void Dispose()
    {
        foreach (var connection in _connections.Values)
            connection.Channel.Dispose();
    }

    private sealed record Connection(string Address, string Key, string Own, GrpcChannel Channel)
    {
        public Protocol.V1.Agent.AgentClient Client { get; } = new(Channel.Intercept(new BoundedAnswers()));
    }
}
