using System.Globalization;
using System.Net.Sockets;
using Mcp.Agent.ProxyProcess.Passing;

namespace Mcp.Agent.ProxyProcess.Public;

/// <summary>Says who asked and how (X-Forwarded-*, and Forwarded of RFC 7239); what a client says of that is dropped.</summary>
/// <param name="hsts">Null: the service decides.</param>
internal sealed class PublicHeaders(TimeSpan? hsts) : AsItCame
{
    private readonly string? _hsts = hsts is { } age
        ? string.Create(CultureInfo.InvariantCulture, $"max-age={(long)age.TotalSeconds}")
        : null;

    public override async ValueTask TransformRequestAsync(
        HttpContext httpContext,
        HttpRequestMessage proxyRequest,
        string destinationPrefix,
        CancellationToken cancellationToken)
    {
        await base.TransformRequestAsync(httpContext, proxyRequest, destinationPrefix, cancellationToken);
        var (headers, host, client) = (proxyRequest.Headers, httpContext.Request.Host.Value!, WhoAsks.Client(httpContext));
        WhoAsks.Drop(headers);
        headers.TryAddWithoutValidation(WhoAsks.For, client.ToString());
        headers.TryAddWithoutValidation(WhoAsks.Proto, "https");
        headers.TryAddWithoutValidation(WhoAsks.Host, host);
        var who = client.AddressFamily == AddressFamily.InterNetworkV6 ? $"\"[{client}]\"" : $"{client}";
        headers.TryAddWithoutValidation(WhoAsks.Forwarded, $"for={who};host=\"{host}\";proto=https");
    }

    public override async ValueTask<bool> TransformResponseAsync(
        HttpContext httpContext,
        HttpResponseMessage? proxyResponse,
        CancellationToken cancellationToken)
    {
        var go = await base.TransformResponseAsync(httpContext, proxyResponse, cancellationToken);
        if (_hsts is not null)
            httpContext.Response.Headers.StrictTransportSecurity = _hsts;
        return go;
    }
}
