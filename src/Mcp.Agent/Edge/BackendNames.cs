using System.Net;
using System.Net.Sockets;
using DnsClient;
using DnsClient.Protocol;
using Mcp.Model.Errors;
using Mcp.Model.Names;

namespace Mcp.Agent.Edge;

/// <summary>Looks backends up, at the DNS server that the master names.</summary>
internal static class BackendNames
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(2);

    /// <param name="resolver">address:port; empty: as the machine is set up.</param>
    /// <returns>Whatever the name stands for, A and AAAA; not checked.</returns>
    /// <exception cref="McpException">edge.resolver: no answer.</exception>
    public static async Task<IReadOnlyList<IPAddress>> LookUpAsync(Hostname name, string resolver, CancellationToken ct)
    {
        try
        {
            if (resolver.Length == 0)
                return await Dns.GetHostAddressesAsync(name.Text, ct).WaitAsync(s_limit, ct);
            var client = new LookupClient(new LookupClientOptions(IPEndPoint.Parse(resolver))
            {
                UseCache = false,
                Timeout = s_limit,
                Retries = 1,
                UseTcpFallback = true,
                ThrowDnsErrors = false,
            });
            var answers = await Task.WhenAll(
                client.QueryAsync($"{name}.", QueryType.A, cancellationToken: ct),
                client.QueryAsync($"{name}.", QueryType.AAAA, cancellationToken: ct));
            return [.. answers.SelectMany(a => a.Answers).OfType<AddressRecord>().Select(r => r.Address)];
        }
        catch (Exception e) when (e is DnsResponseException or SocketException or TimeoutException or OperationCanceledException
            && !ct.IsCancellationRequested)
        {
            throw new McpException(
                ErrorCode.EdgeResolver,
                $"{(resolver.Length == 0 ? "the machine's resolver" : resolver)} did not resolve {name}: {e.Message}",
                "mcp dns list; is the DNS server reachable from here?",
                e);
        }
    }
}
