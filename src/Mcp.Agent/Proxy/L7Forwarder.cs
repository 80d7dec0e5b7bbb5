using System.Diagnostics;
using System.Net;
using Yarp.ReverseProxy.Forwarder;

namespace Mcp.Agent.Proxy;

/// <summary>One request: find its host's backend, pass it on with X-Forwarded-* set by us alone, count it while it is under way.</summary>
internal sealed class L7Forwarder(RouteTable table, IHttpForwarder forwarder) : IDisposable
{
    private static readonly ForwarderRequestConfig s_config = new() { ActivityTimeout = TimeSpan.FromMinutes(5) };

    private readonly HttpMessageInvoker _backends = new(new SocketsHttpHandler
    {
        UseProxy = false,
        AllowAutoRedirect = false,
        AutomaticDecompression = DecompressionMethods.None,
        UseCookies = false,
        EnableMultipleHttp2Connections = true,
        ActivityHeadersPropagator = DistributedContextPropagator.CreateNoOutputPropagator(),
        ConnectTimeout = TimeSpan.FromSeconds(5),
    });

    public async Task ForwardAsync(HttpContext context)
    {
        var backend = table.Find(context.Request.Host.Host);
        if (backend is null)
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            await context.Response.WriteAsync("no route for this host\n");
            return;
        }

        backend.Enter();
        try
        {
            var error = await forwarder.SendAsync(context, backend.Prefix, _backends, s_config, ForwardedHeaders.Instance);
            if (error != ForwarderError.None && !context.Response.HasStarted)
                await context.Response.WriteAsync("the service behind this host does not answer\n");
        }
        finally
        {
            backend.Leave();
        }
    }

    public void Dispose() => _backends.Dispose();

    private sealed class ForwardedHeaders : HttpTransformer
    {
        public static readonly ForwardedHeaders Instance = new();

        public override async ValueTask TransformRequestAsync(HttpContext httpContext, HttpRequestMessage proxyRequest, string destinationPrefix, CancellationToken cancellationToken)
        {
            await base.TransformRequestAsync(httpContext, proxyRequest, destinationPrefix, cancellationToken);
            var headers = proxyRequest.Headers;
            headers.Remove("Forwarded");
            headers.Remove("X-Forwarded-For");
            headers.Remove("X-Forwarded-Proto");
            headers.Remove("X-Forwarded-Host");
            headers.TryAddWithoutValidation("X-Forwarded-For", httpContext.Connection.RemoteIpAddress?.ToString());
            headers.TryAddWithoutValidation("X-Forwarded-Proto", httpContext.Request.Scheme);
            headers.TryAddWithoutValidation("X-Forwarded-Host", httpContext.Request.Host.Value);
        }
    }
}
