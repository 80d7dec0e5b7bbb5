using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Mcp.Daemon.Identity;
using Mcp.Master.Deploy.Steps;
using Mcp.Master.Store;
using Mcp.Model.Errors;
using Mcp.Model.Events;
using Mcp.Model.Names;
using Mcp.Model.Placement;
using Mcp.Model.Routes;

namespace Mcp.Master.Nodes;

/// <summary>Who may join, and who has: tokens that count once, certificates, and that a node is the one it says.</summary>
/// <param name="zone">Of services' names.</param>
public sealed class Membership(MasterStore store, FleetIdentity identity, string zone, TimeProvider time)
{
    private static readonly TimeSpan s_longestLife = TimeSpan.FromDays(7);

    /// <exception cref="McpException">join.roles, join.life</exception>
    public (JoinToken Token, DateTimeOffset Expires) NewToken(IReadOnlyList<string> roles, TimeSpan life)
    {
        if (roles.FirstOrDefault(r => !NodeRoles.Spellings.ContainsKey(r)) is { } wrong)
        {
            var allowed = string.Join(" | ", NodeRoles.Spellings.Keys);
            throw new McpException(ErrorCode.JoinRoles, $"'{Label.Clip(wrong)}' is not a role", allowed);
        }

        if (life <= TimeSpan.Zero || life > s_longestLife)
            throw new McpException(ErrorCode.JoinLife, "a join token lives at least a second and at most 7 days", "such as 1h");
        var (token, expires) = (JoinToken.New(identity.Authority), time.GetUtcNow() + life);
        store.JoinTokens.Add(JoinToken.HashOf(token.Secret), roles.Count == 0 ? [NodeRole.Worker] : NodeRoles.Parse(roles), expires);
        return (token, expires);
    }

    /// <exception cref="McpException">join.*: why not.</exception>
    public (X509Certificate2 Certificate, IReadOnlyList<NodeRole> Roles) Join(string secret, string name, string address, string requestPem)
    {
        var label = Label.Parse(name);
        if (!IPEndPoint.TryParse(address, out var endpoint) || endpoint.Port == 0)
        {
            throw new McpException(
                ErrorCode.JoinAddress,
                $"'{Label.Clip(address)}' is not an address with port",
                "the agent's, in the overlay, such as 100.64.0.2:7443");
        }

        var hash = JoinToken.HashOf(secret);
        var token = store.JoinTokens.Find(hash);
        if (token is null || token.Expires < time.GetUtcNow())
        {
            throw new McpException(
                ErrorCode.JoinExpired,
                token is null ? "this join token is not known here, or has expired" : $"this join token expired at {token.Expires:u}",
                "make a new one: mcp node join-token");
        }

        var certificate = identity.Sign(requestPem, new PeerName(label, false), endpoint.Address.ToString());
        var key = PeerName.KeyOf(certificate);
        if (store.Nodes.Find(label) is { Key.Length: > 0 } there && there.Key != key)
        {
            throw new McpException(
                ErrorCode.JoinName,
                $"there is a node {label} already",
                $"give this one another name, or remove that one first: mcp node remove {label}");
        }

        if (!store.JoinTokens.TryUse(hash, label.Text, key))
        {
            throw new McpException(
                ErrorCode.JoinUsed,
                $"this join token was used for {token.UsedBy}",
                "each can be used once; make a new one: mcp node join-token");
        }

        store.Nodes.Joined(label, address, token.Roles, key);
        store.Events.Add("", "", EventKind.NodeJoined, label.Text);
        return (certificate, token.Roles);
    }

    public (X509Certificate2 Certificate, IReadOnlyList<NodeRole> Roles) Renew(Caller node, string requestPem)
    {
        var there = Check(node);
        var certificate = identity.Sign(requestPem, new PeerName(there.Name, false), IPEndPoint.Parse(there.Address).Address.ToString());
        // The old key counts until the new one is first used: the answer may be lost.
        store.Nodes.Rekey(there.Name, $"{node.Key},{PeerName.KeyOf(certificate)}");
        return (certificate, there.Roles);
    }

    /// <summary>A certificate for a service's names, for a node that has it or is getting it.</summary>
    /// <exception cref="McpException">certificate.elsewhere</exception>
    public X509Certificate2 IssueService(Caller node, string service, string requestPem)
    {
        var there = Check(node);
        var label = Label.Parse(service);
        // A copy that names still lead to serves on, too.
        return store.Placements.Find(label)?.Holds(there.Name) == true
            || store.Leftovers.CopiesOf(label).Exists(l => l.Step == LeaveStep.StepName && l.Node == there.Name.Text)
            ? identity.SignService(requestPem, label)
            : throw new McpException(
                ErrorCode.CertificateElsewhere,
                $"the service {label} is not placed on {there.Name}",
                "mcp status shows where it is; mcp adopt places what was deployed with --direct");
    }

    /// <summary>A certificate for a public hostname, for the edge node that has its route.</summary>
    /// <exception cref="McpException">certificate.elsewhere</exception>
    public X509Certificate2 IssueHostname(Caller node, string hostname, string requestPem)
    {
        var there = Check(node);
        // Names below mcp are identities of the fleet, those in the zone are services': neither is a public hostname, whatever was stored.
        return Hostname.TryParse(hostname, out var name)
            && !ZoneNames.Has(zone, name.Text)
            && !ZoneNames.Has("mcp", name.Text)
            && store.EdgeRoutes.Find(name)?.Node == there.Name
            ? identity.SignHostname(requestPem, name)
            : throw new McpException(
                ErrorCode.CertificateElsewhere,
                $"{there.Name} has no route for '{Label.Clip(hostname)}'",
                "mcp edge list shows which node has which");
    }

    /// <summary>The node that calls, by its certificate.</summary>
    /// <exception cref="McpException">node.removed: the certificate is of a node that was removed, or has joined anew since.</exception>
    public StoredNode Check(Caller caller)
    {
        var there = Label.TryParse(caller.Name, out var name) ? store.Nodes.Find(name) : null;
        var keys = KeysOf(there);
        if (there is null || !Has(keys, caller.Key))
        {
            throw new McpException(
                ErrorCode.NodeRemoved,
                $"the certificate of {caller.Name} is no longer accepted",
                "the node was removed or has joined again since; to let it join again: mcp node join-token");
        }

        if (keys is [_, var newest] && newest == caller.Key)
            store.Nodes.Rekey(there.Name, newest);
        return there;
    }

    /// <summary>Whether a certificate of a node with this key counts.</summary>
    public bool Counts(Label node, string key) => Has(KeysOf(store.Nodes.Find(node)), key);

    private static string[] KeysOf(StoredNode? node) => node?.Key.Split(',') ?? [];

    private static bool Has(string[] keys, string key) =>
        keys.Any(k => CryptographicOperations.FixedTimeEquals(
            System.Text.Encoding.ASCII.GetBytes(k),
            System.Text.Encoding.ASCII.GetBytes(key)));
}
