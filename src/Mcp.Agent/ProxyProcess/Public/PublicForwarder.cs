using Mcp.Agent.Edge;
using Mcp.Agent.ProxyProcess.Passing;
using Mcp.Daemon.Doors;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;
using Yarp.ReverseProxy.Forwarder;
using Route = Mcp.Model.Definition.Route;

namespace Mcp.Agent.ProxyProcess.Public;

/// <summary>A request of the public: passed on to the node of the hostname's service, with X-Forwarded-* and Forwarded set by us alone,
/// counted and logged.</summary>
internal sealed class PublicForwarder(
    PublicTable table,
    Passage passage,
    EdgeOptions options,
    AccessLog log,
    PublicMetrics metrics)
{
    // Requests, streams and WebSockets of one source under way: limits of connections see a hundred streams of HTTP/2 as one.
    private const int OfOneSource = 2000;
    private const string SecondsToWait = "1";

    // The proxy of the service's node knows how long nothing may pass; a node that is gone shows by itself (BackendSocket).
    private static readonly Forwarding s_forwarding = new(Route.LongestIdleTimeout + TimeSpan.FromMinutes(1));
    private readonly SourceCount _underWay = new(null, OfOneSource);
    private readonly PublicHeaders _headers = new(options.Hsts);

    public async Task ForwardAsync(HttpContext context)
    {
        var started = TimeProvider.System.GetTimestamp();
        var name = context.Request.Host.Host;
        var host = table.Find(name);
        metrics.Begin(host);
        try
        {
            await AnswerInTurnAsync(context, host);
        }
        finally
        {
            var took = TimeProvider.System.GetElapsedTime(started);
            metrics.End(host, context, took);
            log.Write(host, context, took);
        }
    }

    private async Task AnswerInTurnAsync(HttpContext context, PublicHost? host)
    {
        var from = context.Connection.RemoteIpAddress;
        if (!_underWay.TryEnter(from))
        {
            context.Response.Headers.RetryAfter = SecondsToWait;
            await RefuseAsync(context, StatusCodes.Status503ServiceUnavailable, "too many requests of this address are under way\n");
            return;
        }

        try
        {
            await AnswerAsync(context, host);
        }
        finally
        {
            _underWay.Leave(from);
        }
    }

    private async Task AnswerAsync(HttpContext context, PublicHost? host)
    {
        // A client that was shown one hostname's certificate asks for that hostname and no other.
        var shaken = context.Features.Get<ITlsHandshakeFeature>()?.HostName;
        if (host is null || !string.Equals(shaken, host.Name, StringComparison.OrdinalIgnoreCase))
        {
            await RefuseAsync(context, StatusCodes.Status421MisdirectedRequest, "this connection is for another host\n");
            return;
        }

        if (Refusal.Of(context) is { } refusal)
        {
            await refusal.AnswerAsync(context.Response);
            return;
        }

        var grpc = Forwarding.IsGrpc(context.Request);
        if (!grpc && context.Request.ContentLength > options.BodyLimit)
        {
            await RefuseAsync(context, StatusCodes.Status413PayloadTooLarge, "the body is too long\n");
            return;
        }

        if (!grpc && context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
            limit.MaxRequestBodySize = options.BodyLimit;
        await PassAsync(context, host);
    }

    private async Task PassAsync(HttpContext context, PublicHost host)
    {
        var backend = host.Backend;
        // It moved between the look-up and here: where to is known by now.
        while (!backend.Enter())
        {
            if (table.Find(host.Name)?.Backend is not { } moved)
            {
                await RefuseAsync(context, StatusCodes.Status404NotFound, "no route for this host\n");
                return;
            }

            backend = moved;
        }

        try
        {
            var error = await passage.ToNodeAsync(context, backend.Prefix, backend.Connections, s_forwarding, _headers);
            if (error != ForwarderError.None && !context.Response.HasStarted)
                await context.Response.WriteAsync("the service behind this host does not answer\n");
        }
        finally
        {
            backend.Leave();
        }
    }

    private static Task RefuseAsync(HttpContext context, int status, string why)
    {
        context.Response.StatusCode = status;
        return context.Response.WriteAsync(why);
    }
}
