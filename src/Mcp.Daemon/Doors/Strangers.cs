using Mcp.Daemon.Identity;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Mcp.Daemon.Doors;

/// <summary>
/// Middleware before gRPC, which reads a whole message before anybody asks who sent it.
/// Calls without a certificate of ours or a token that counts (a node that joins, a question for the health, whoever is to be refused) may send 64 KiB each and take 10 s,
/// and 1,000 of them may be under way; the rest is cut off.
/// </summary>
public sealed class Strangers(TokenSigner tokens, TimeProvider time)
{
    private const int LongestBody = 64 * 1024;
    private const int MostAtOnce = 1000;
    private const string Bearer = "Bearer ";
    private static readonly TimeSpan s_longest = TimeSpan.FromSeconds(10);
    private int _underWay;

    public async Task PassAsync(HttpContext context, RequestDelegate next)
    {
        if (await IsKnownAsync(context))
        {
            await next(context);
            return;
        }

        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } body)
            body.MaxRequestBodySize = LongestBody;
        try
        {
            if (Interlocked.Increment(ref _underWay) > MostAtOnce)
            {
                context.Abort();
                return;
            }

            await using var limit = time.CreateTimer(End, context, s_longest, Timeout.InfiniteTimeSpan);
            await next(context);
        }
        finally
        {
            Interlocked.Decrement(ref _underWay);
        }
    }

    private static void End(object? context) => ((HttpContext)context!).Abort();

    private async ValueTask<bool> IsKnownAsync(HttpContext context)
    {
        if (context.Connection.ClientCertificate is not null)
            return true;
        var header = context.Request.Headers.Authorization.ToString();
        return header.StartsWith(Bearer, StringComparison.Ordinal) && (await tokens.VerifyAsync(header[Bearer.Length..])).Caller is not null;
    }
}
