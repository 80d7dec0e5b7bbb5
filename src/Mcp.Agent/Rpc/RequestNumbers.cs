using Grpc.Core;
using Mcp.Agent.Membership;
using Mcp.Daemon.Identity;
using Mcp.Daemon.Storage;
using Mcp.Model.Histories;
using Mcp.Protocol.Histories;
using Mcp.Protocol.V1;

namespace Mcp.Agent.Rpc;

/// <summary>The numbers that the master gives its requests. Only its own word counts: whoever else could send a number could shut it
/// out.</summary>
internal sealed class RequestNumbers(ServiceCertificates membership, PeersTable peers)
{
    /// <summary>Null: not from the master. What it says of its database is written down first.</summary>
    public RequestNumber? Of(long sequence, DatabaseStanding? standing, ServerCallContext context)
    {
        if (sequence == 0 || !AuthInterceptor.CallerOf(context).IsMaster)
            return null;
        var master = StandingMapping.Read(standing);
        if (master is not null && membership.Member is { } member)
            peers.Saw(member.Fleet, master);
        return new RequestNumber(sequence, master);
    }
}
