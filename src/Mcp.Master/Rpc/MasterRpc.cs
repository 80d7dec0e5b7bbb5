using System.Security.Cryptography.X509Certificates;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Mcp.Daemon.Identity;
using Mcp.Daemon.Operations;
using Mcp.Master.Nodes;
using Mcp.Model.Errors;
using Mcp.Model.Events;
using Mcp.Model.Names;
using Mcp.Model.Placement;
using Mcp.Protocol.Histories;
using Mcp.Protocol.V1;
using Membership = Mcp.Protocol.V1.Membership;

namespace Mcp.Master.Rpc;

/// <summary>The RPCs about nodes: map, call, map back; no decisions.</summary>
internal sealed class MasterRpc(
    MasterParts master,
    FleetIdentity identity,
    TokenSigner tokens,
    IHostApplicationLifetime lifetime,
    TimeProvider time) : Protocol.V1.Master.MasterBase
{
    public override Task<AuthorityReply> Authority(AuthorityRequest request, ServerCallContext context) =>
        Task.FromResult(new AuthorityReply { Ca = identity.Authority.ExportCertificatePem() });

    public override Task<Membership> Join(JoinRequest request, ServerCallContext context)
    {
        var (certificate, roles) = master.Membership.Join(request.Secret, request.Name, request.Address, request.CertificateRequest);
        return Task.FromResult(Given(certificate, roles));
    }

    public override Task<Membership> Renew(RenewRequest request, ServerCallContext context)
    {
        var (certificate, roles) = master.Membership.Renew(AuthInterceptor.CallerOf(context), request.CertificateRequest);
        return Task.FromResult(Given(certificate, roles));
    }

    public override Task<HeartbeatReply> Heartbeat(HeartbeatRequest request, ServerCallContext context)
    {
        var node = master.Membership.Check(AuthInterceptor.CallerOf(context));
        if (request.Facts is null
            || request.Status is null
            || request.Facts.Node != node.Name.Text
            || request.Status.Node != node.Name.Text)
        {
            throw new McpException(
                ErrorCode.NodeOther,
                $"{node.Name} sent a heartbeat in the name of '{Label.Clip(request.Facts?.Node)}'",
                "name in agent.toml must be the one that the node joined with");
        }

        if (master.Nodes.IsNews(node))
        {
            if (StandingMapping.Read(request.Standing) is { } standing)
                master.Store.Peers.Saw(node.Name.Text, standing);
            master.Store.Nodes.Seen(node.Name, NodeTexts.Kept(request.Facts), NodeTexts.Kept(request.Status));
        }

        return Task.FromResult(new HeartbeatReply
        {
            IntervalMs = (long)master.Config.Heartbeat.TotalMilliseconds,
            Standing = master.Store.History.Now()?.ToWire(),
        });
    }

    public override Task<JoinTokenReply> CreateJoinToken(JoinTokenRequest request, ServerCallContext context)
    {
        var (token, expires) = master.Membership.NewToken(
            request.Roles,
            TimeSpan.FromSeconds(Math.Clamp(request.LifeSeconds, 0, int.MaxValue)));
        return Task.FromResult(new JoinTokenReply { Token = token.ToString(), Expires = expires.ToTimestamp() });
    }

    public override Task<ListNodesReply> ListNodes(ListNodesRequest request, ServerCallContext context) => Task.FromResult(Nodes());

    private ListNodesReply Nodes()
    {
        var (reply, now) = (master.View.Nodes(), time.GetUtcNow());
        reply.Endings.AddRange(master.Endings.All.Select(e => new Ending
        {
            What = e.What,
            End = e.End.ToTimestamp(),
            Near = e.IsNear(now),
            Hint = e.Hint,
        }));
        return reply;
    }

    public override Task<OperationReply> CordonNode(CordonNodeRequest request, ServerCallContext context)
    {
        var node = master.Nodes.Get(Label.Parse(request.Name));
        master.Store.Nodes.Cordon(node.Name, !request.Uncordon);
        master.Store.Events.Add("", "", request.Uncordon ? EventKind.NodeUncordoned : EventKind.NodeCordoned, node.Name.Text);
        return Task.FromResult(new OperationReply { Done = { $"{(request.Uncordon ? "uncordoned" : "cordoned")} {node.Name}" } });
    }

    public override async Task DrainNode(NodeRequest request, IServerStreamWriter<StepEvent> responseStream, ServerCallContext context)
    {
        var by = AuthInterceptor.CallerOf(context).Name;
        var work = new Work("drain", by);
        await StepStream.SendAsync(work, DrainAsync, responseStream, context.CancellationToken);

        async Task<StepEvent> DrainAsync()
        {
            var node = Label.Parse(request.Name);
            await master.Drainer.DrainAsync(node, by, work.Report, lifetime.ApplicationStopping, request.LeaveData);
            return new StepEvent();
        }
    }

    public override Task<OperationReply> RemoveNode(RemoveNodeRequest request, ServerCallContext context)
    {
        var node = master.Nodes.Get(Label.Parse(request.Name));
        var forgotten = master.Store.RemoveNode(node.Name, request.Force);
        master.Store.Events.Add("", "", EventKind.NodeRemoved, node.Name.Text);
        var reply = new OperationReply { Done = { $"removed {node.Name}; its certificate is no longer accepted" } };
        reply.Done.AddRange(forgotten.Select(service => $"forgot {service}"));
        return Task.FromResult(reply);
    }

    public override Task<ListNamesReply> ListNames(ListNamesRequest request, ServerCallContext context) =>
        master.Names.ListAsync(context.CancellationToken);

    public override Task<IssuedCertificate> IssueCertificate(IssueCertificateRequest request, ServerCallContext context)
    {
        var caller = AuthInterceptor.CallerOf(context);
        using var certificate = request.Hostname.Length > 0
            ? master.Membership.IssueHostname(caller, request.Hostname, request.CertificateRequest)
            : master.Membership.IssueService(caller, request.Service, request.CertificateRequest);
        return Task.FromResult(new IssuedCertificate { Certificate = certificate.ExportCertificatePem() });
    }

    private Membership Given(X509Certificate2 certificate, IReadOnlyList<NodeRole> roles)
    {
        using (certificate)
        {
            return new Membership
            {
                Certificate = certificate.ExportCertificatePem(),
                Ca = identity.Authority.ExportCertificatePem(),
                TokenKey = tokens.PublicKey,
                Roles = { NodeRoles.Spell(roles) },
            };
        }
    }
}
