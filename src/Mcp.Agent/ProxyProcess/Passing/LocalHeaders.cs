using System.Net;

namespace Mcp.Agent.ProxyProcess.Passing;

/// <summary>Says who asked this node, and how (X-Forwarded-*).</summary>
/// <param name="trusted">Proxies before this one, which are believed.</param>
internal sealed class LocalHeaders(IReadOnlyList<IPNetwork> trusted) : AsItCame
{
    public override async ValueTask TransformRequestAsync(
        HttpContext httpContext,
        HttpRequestMessage proxyRequest,
        string destinationPrefix,
        CancellationToken cancellationToken)
    {
        var received = httpContext.Request.Headers;
        var client = WhoAsks.Client(httpContext);
        var believed = trusted.Count > 0 && trusted.Any(t => t.Contains(client));
        var (before, proto, host) = believed
            ? (received[WhoAsks.For].ToString(), received[WhoAsks.Proto].ToString(), received[WhoAsks.Host].ToString())
            : ("", "", "");
        await base.TransformRequestAsync(httpContext, proxyRequest, destinationPrefix, cancellationToken);
        var headers = proxyRequest.Headers;
        if (believed)
        {
            headers.Remove(WhoAsks.For);
            headers.Remove(WhoAsks.Proto);
            headers.Remove(WhoAsks.Host);
        }
        else
        {
            WhoAsks.Drop(headers);
        }

        headers.TryAddWithoutValidation(WhoAsks.For, before.Length > 0 ? $"{before}, {client}" : client.ToString());
        headers.TryAddWithoutValidation(WhoAsks.Proto, proto.Length > 0 ? proto : httpContext.Request.Scheme);
        headers.TryAddWithoutValidation(WhoAsks.Host, host.Length > 0 ? host : httpContext.Request.Host.Value);
    }
}
