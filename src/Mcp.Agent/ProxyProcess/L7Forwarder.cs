using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using Yarp.ReverseProxy.Forwarder;

namespace Mcp.Agent.ProxyProcess;

/// <summary>One request: find its host's backend, pass it on with X-Forwarded-* set by us alone, count it while it is under way.</summary>
internal sealed class L7Forwarder(RouteTable table, IHttpForwarder forwarder) : IDisposable
{
    private readonly ConcurrentDictionary<TimeSpan, Forwarding> _forwardings = new();
    private readonly HttpMessageInvoker _backends = new(new SocketsHttpHandler
    {
        UseProxy = false,
        AllowAutoRedirect = false,
        AutomaticDecompression = DecompressionMethods.None,
        UseCookies = false,
        EnableMultipleHttp2Connections = true,
        ActivityHeadersPropagator = DistributedContextPropagator.CreateNoOutputPropagator(),
        ConnectTimeout = TimeSpan.FromSeconds(5),
        ConnectCallback = static async (context, ct) => await BackendSocket.ConnectAsync(context.DnsEndPoint, ct),
    });

    /// <summary>From this machine.</summary>
    public Task ForwardAsync(HttpContext context) => ForwardAsync(context, ForwardedHeaders.Instance);

    /// <summary>From another node, over TLS: one that has shown a certificate of the fleet's is an edge node, and knows who
    /// asked.</summary>
    public Task ForwardFromNodeAsync(HttpContext context) =>
        ForwardAsync(context, context.Connection.ClientCertificate is null ? ForwardedHeaders.Instance : AsReceived.Instance);

    private async Task ForwardAsync(HttpContext context, HttpTransformer headers)
    {
        var found = await table.EnterAsync(context.Request.Host.Host, context.RequestAborted);
        if (found.Backend is not { } backend)
        {
            await RefuseAsync(context.Response, found.Held);
            return;
        }

        var isSocket = Forwarding.IsWebSocket(context);
        if (isSocket)
            backend.BeginSocket();
        try
        {
            var config = ForwardingOf(found.Idle).For(context.Request);
            var error = await forwarder.SendAsync(context, backend.Prefix, _backends, config, headers);
            if (error != ForwarderError.None && !context.Response.HasStarted)
                await context.Response.WriteAsync("the service behind this host does not answer\n");
        }
        finally
        {
            if (isSocket)
                backend.EndSocket();
            backend.Leave();
        }
    }

    // There are few different ones: each is what a file says.
    private Forwarding ForwardingOf(TimeSpan idle) => _forwardings.GetOrAdd(idle, static i => new Forwarding(i));

    private static Task RefuseAsync(HttpResponse response, bool held)
    {
        response.StatusCode = held ? StatusCodes.Status503ServiceUnavailable : StatusCodes.Status404NotFound;
        if (held)
            response.Headers.RetryAfter = "5";
        return response.WriteAsync(held ? "the service behind this host is being updated\n" : "no route for this host\n");
    }

    public void Dispose() => _backends.Dispose();

    // All headers, Host too: the library's own default replaces that one.
    private sealed class AsReceived : HttpTransformer
    {
        public static readonly AsReceived Instance = new();
    }

    private sealed class ForwardedHeaders : HttpTransformer
    {
        public static readonly ForwardedHeaders Instance = new();

        public override async ValueTask TransformRequestAsync(
            HttpContext httpContext,
            HttpRequestMessage proxyRequest,
            string destinationPrefix,
            CancellationToken cancellationToken)
        {
            // Removed before they are copied: nearly always they are not there, and looking is cheaper here.
            var received = httpContext.Request.Headers;
            received.Remove("Forwarded");
            received.Remove("X-Forwarded-For");
            received.Remove("X-Forwarded-Proto");
            received.Remove("X-Forwarded-Host");
            await base.TransformRequestAsync(httpContext, proxyRequest, destinationPrefix, cancellationToken);
            var headers = proxyRequest.Headers;
            headers.TryAddWithoutValidation("X-Forwarded-For", httpContext.Connection.RemoteIpAddress?.ToString());
            headers.TryAddWithoutValidation("X-Forwarded-Proto", httpContext.Request.Scheme);
            headers.TryAddWithoutValidation("X-Forwarded-Host", httpContext.Request.Host.Value);
        }
    }
}
