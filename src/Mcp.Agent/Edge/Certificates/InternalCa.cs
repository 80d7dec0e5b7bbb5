using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Grpc.Core;
using Mcp.Agent.Membership;
using Mcp.Daemon.Identity;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Protocol.V1;

namespace Mcp.Agent.Edge.Certificates;

/// <summary>The fleet's own CA: the master signs for the node that has the hostname's route. For clients that know that CA.</summary>
/// <param name="member">Null: this node has joined no fleet.</param>
internal sealed class InternalCa(Func<Member?> member, TimeProvider time) : ICertificateSource
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(5);

    private readonly RenewalPace<Hostname> _pace = new(time);

    public string Name => "internal";

    public async Task<string> IssueAsync(Hostname hostname, CancellationToken ct)
    {
        var fleet = member()
            ?? throw new McpException(
                ErrorCode.CertificateAlone,
                "this node has joined no fleet, so there is no CA to sign",
                "mcp-agent join, or another source: [edge] certificates in agent.toml");
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        try
        {
            var issued = await fleet.IssueAsync(new IssueCertificateRequest { Hostname = hostname.Text }, key, s_limit, ct);
            _pace.Issued(hostname);
            return issued;
        }
        catch (RpcException e) when (!ct.IsCancellationRequested)
        {
            throw new McpException(
                ErrorCode.CertificateMaster,
                $"the master signed no certificate for {hostname}: {e.Status.Detail}",
                "mcp route list shows which node has which hostname",
                e);
        }
    }

    public async Task<string?> RenewAsync(Hostname hostname, X509Certificate2? current, CancellationToken ct) =>
        current is null || _pace.IsDue(hostname, current) ? await IssueAsync(hostname, ct) : null;
}
