using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace Mcp.Agent.ProxyProcess.Passing;

/// <summary>How slow a body may be: of the public as [edge] says; others may pause.</summary>
internal static class SlowBodies
{
    private static readonly TimeSpan s_grace = TimeSpan.FromSeconds(5);

    public static void OfThePublic(KestrelServerLimits limits, int bytesPerSecond)
    {
        limits.MinRequestBodyDataRate = bytesPerSecond == 0 ? null : new MinDataRate(bytesPerSecond, s_grace);
        limits.MinResponseDataRate = bytesPerSecond == 0 ? null : new MinDataRate(bytesPerSecond, s_grace);
    }

    public static void OfOthers(KestrelServerLimits limits) => (limits.MinRequestBodyDataRate, limits.MinResponseDataRate) = (null, null);

    /// <summary>A request of somebody else on a node where the public comes in.</summary>
    public static void Allow(HttpContext context)
    {
        // Which it is cannot be asked on HTTP/2.
        context.Feature<IHttpMinRequestBodyDataRateFeature>()?.MinDataRate = null;
        context.Feature<IHttpMinResponseDataRateFeature>()?.MinDataRate = null;
    }
}
