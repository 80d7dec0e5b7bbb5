using System.Security.Cryptography;
using Mcp.Agent.Overview;
using Mcp.Agent.Registry;
using Mcp.Agent.Rpc;
using Mcp.Daemon.Identity;
using Mcp.Daemon.Lifecycle;
using Mcp.Protocol.Histories;
using Mcp.Protocol.V1;

namespace Mcp.Agent.Membership;

/// <summary>Tells the master, again and again, that this node lives, what it has and how its services are;
/// has the certificate renewed when a third of its life is left.</summary>
internal sealed class Heartbeats(
    NodeView node,
    ServicesView services,
    AgentRegistry registry,
    Member member,
    FaultLog log,
    TimeProvider time)
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_probeAgain = TimeSpan.FromMinutes(1);
    private readonly RenewalPace<string> _pace = new(time);
    private TimeSpan _interval = TimeSpan.FromSeconds(2);
    private NodeFacts? _facts;
    private long _probed;

    public async Task RunAsync(CancellationToken ct)
    {
        while (!ct.IsCancellationRequested)
        {
            // A channel for each certificate: a connection goes on with the one that it began with.
            using var channel = PeerTls.Channel(member.Master, PeerName.MasterTlsName, member.Authority, member.Certificate);
            var master = new Master.MasterClient(channel);
            do
            {
                // Also when the next certificate is due at once: this node lives, and the master is not asked without a pause.
                await TryAsync("heartbeat", () => BeatAsync(master, ct), ct);
                await Task.Delay(_interval, time, ct);
            }
            while (!_pace.IsDue(member.Master, member.Certificate) || !await TryAsync("renewal", () => RenewAsync(master, ct), ct));
        }
    }

    private async Task BeatAsync(Master.MasterClient master, CancellationToken ct)
    {
        // Probing the runtimes starts programs; their answers seldom change.
        if (_facts is null || time.GetElapsedTime(_probed) > s_probeAgain)
            (_facts, _probed) = (await node.FactsAsync(ct), time.GetTimestamp());
        var beat = new HeartbeatRequest
        {
            Facts = node.Anew(_facts).ToWire(time.GetUtcNow()),
            Status = services.Status(null).ToWire(),
            Standing = registry.History.Now()?.ToWire(),
        };
        var reply = await master.HeartbeatAsync(beat, deadline: Deadline(), cancellationToken: ct);
        _interval = TimeSpan.FromMilliseconds(Math.Clamp(reply.IntervalMs, 100, 60_000));
        if (StandingMapping.Read(reply.Standing) is not { } standing)
            return;
        registry.Peers.Saw(member.Fleet, standing);
        registry.Sequences.Learn(standing);
    }

    private async Task RenewAsync(Master.MasterClient master, CancellationToken ct)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new RenewRequest { CertificateRequest = Joining.Request(key) };
        var given = await master.RenewAsync(request, deadline: Deadline(), cancellationToken: ct);
        member.Renew(given.Certificate, key);
        _pace.Issued(member.Master);
    }

    // True: it went well.
    private async Task<bool> TryAsync(string name, Func<Task> call, CancellationToken ct)
    {
        var what = $"{name} with the master {member.Master}";
        try
        {
            await call();
            log.Over(what);
            return true;
        }
        catch (Exception e) when (!ct.IsCancellationRequested)
        {
            log.WriteOnce(what, e);
            return false;
        }
    }

    private DateTime Deadline() => time.GetUtcNow().UtcDateTime + s_limit;
}
