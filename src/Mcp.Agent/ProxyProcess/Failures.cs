using System.Collections.Concurrent;
using System.Globalization;
using Mcp.Agent.ProxyProcess.Passing;
using Yarp.ReverseProxy.Forwarder;

namespace Mcp.Agent.ProxyProcess;

/// <summary>Requests that a service did not answer, for proxy.log: of each host and cause a line a minute.</summary>
internal sealed class Failures(TextWriter log, TimeProvider time)
{
    private static readonly TimeSpan s_quiet = TimeSpan.FromMinutes(1);
    private readonly ConcurrentDictionary<(string Host, ForwarderError Error), Told> _told = [];

    /// <summary>Tells of it, if it failed.</summary>
    /// <param name="context">Of a host that has a route.</param>
    public void Tell(HttpContext context)
    {
        if (context.Feature<IForwarderErrorFeature>() is not { } failed || IsTheClients(failed.Error))
            return;
        var host = context.Request.Host.Host.ToLowerInvariant();
        var told = _told.GetOrAdd((host, failed.Error), static _ => new Told());
        lock (told)
        {
            if (told.At is { } at && time.GetElapsedTime(at) < s_quiet)
            {
                told.More++;
                return;
            }

            var why = failed.Exception?.GetBaseException().Message;
            var more = told.More == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $" ({told.More} more since then)");
            var asked = $"{context.Request.Method} {host}{AsItCame.Target(context).Split('?')[0]}";
            log.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{time.GetUtcNow():u} {asked}: {failed.Error}: {why}{more}"));
            (told.At, told.More) = (time.GetTimestamp(), 0);
        }
    }

    private static bool IsTheClients(ForwarderError error) => error is
        ForwarderError.None or ForwarderError.RequestCanceled or ForwarderError.RequestBodyCanceled or ForwarderError.RequestBodyClient
        or ForwarderError.ResponseBodyCanceled or ForwarderError.ResponseBodyClient or ForwarderError.UpgradeRequestCanceled
        or ForwarderError.UpgradeRequestClient or ForwarderError.UpgradeResponseCanceled or ForwarderError.UpgradeResponseClient;

    private sealed class Told
    {
        public long? At { get; set; }

        public long More { get; set; }
    }
}
