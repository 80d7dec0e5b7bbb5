using Mcp.Daemon.Identity;
using Microsoft.AspNetCore.Http;

namespace Mcp.Daemon.Doors;

/// <summary>
/// Middleware before gRPC, which reads a whole message before anybody asks who sent it.
/// Calls without a peer's certificate or a token that counts (a node that joins, a question for the health, whoever is to be refused) may
/// send 64 KiB each and take 10 s; 1,000 of them may be under way, 100 of one <see cref="Source"/>; the rest is cut off. Their connections
/// make room for new ones, also in the middle of a call.
/// </summary>
/// <param name="isKnown">Of the certificates of our CA, whose counts.</param>
public sealed class Strangers(Func<PeerName, bool> isKnown, TokenSigner tokens, TimeProvider time)
{
    private const int LongestBody = 64 * 1024;
    private const int MostAtOnce = 1000;
    private const int OfOneSource = 100;
    private const string Bearer = "Bearer ";
    private static readonly TimeSpan s_longest = TimeSpan.FromSeconds(10);
    private readonly SourceCount _underWay = new(MostAtOnce, OfOneSource);

    public async Task PassAsync(HttpContext context, RequestDelegate next)
    {
        if (await IsKnownAsync(context))
        {
            await KestrelDoors.CountAsync(context, next);
            return;
        }

        context.Features.Get<ConnectionSlot>()?.Ask();
        KestrelDoors.KeepShort(context, LongestBody);
        var from = context.Connection.RemoteIpAddress;
        if (!_underWay.TryEnter(from))
        {
            context.Abort();
            return;
        }

        try
        {
            await using var limit = time.CreateTimer(End, context, s_longest, Timeout.InfiniteTimeSpan);
            await next(context);
        }
        finally
        {
            _underWay.Leave(from);
        }
    }

    private static void End(object? context) => ((HttpContext)context!).Abort();

    private async ValueTask<bool> IsKnownAsync(HttpContext context)
    {
        if (context.Connection.ClientCertificate is { } shown && PeerName.Of(shown) is { } peer && isKnown(peer))
            return true;
        var header = context.Request.Headers.Authorization.ToString();
        return header.StartsWith(Bearer, StringComparison.Ordinal)
            && (await tokens.VerifyAsync(header[Bearer.Length..])).Caller is not null;
    }
}
