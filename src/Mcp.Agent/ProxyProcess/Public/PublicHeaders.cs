using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Yarp.ReverseProxy.Forwarder;

namespace Mcp.Agent.ProxyProcess.Public;

/// <summary>Says who asked and how (X-Forwarded-*, and Forwarded of RFC 7239); what a client says of that is dropped.</summary>
/// <param name="hsts">Null: the service decides.</param>
internal sealed class PublicHeaders(TimeSpan? hsts) : HttpTransformer
{
    private const string Prefix = "X-Forwarded-";
    private readonly string? _hsts = hsts is { } age
        ? string.Create(CultureInfo.InvariantCulture, $"max-age={(long)age.TotalSeconds}")
        : null;

    public override async ValueTask TransformRequestAsync(
        HttpContext httpContext,
        HttpRequestMessage proxyRequest,
        string destinationPrefix,
        CancellationToken cancellationToken)
    {
        Drop(httpContext.Request.Headers);
        await base.TransformRequestAsync(httpContext, proxyRequest, destinationPrefix, cancellationToken);
        var (headers, host, client) = (proxyRequest.Headers, httpContext.Request.Host.Value!, Client(httpContext));
        headers.TryAddWithoutValidation("X-Forwarded-For", client.ToString());
        headers.TryAddWithoutValidation("X-Forwarded-Proto", "https");
        headers.TryAddWithoutValidation("X-Forwarded-Host", host);
        var who = client.AddressFamily == AddressFamily.InterNetworkV6 ? $"\"[{client}]\"" : $"{client}";
        headers.TryAddWithoutValidation("Forwarded", $"for={who};host=\"{host}\";proto=https");
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

    /// <summary>The client's address; IPv4 as such where the listener takes both.</summary>
    public static IPAddress Client(HttpContext context) => context.Connection.RemoteIpAddress switch
    {
        null => IPAddress.None,
        { IsIPv4MappedToIPv6: true } mapped => mapped.MapToIPv4(),
        var address => address,
    };

    private static void Drop(IHeaderDictionary received)
    {
        List<string>? told = null;
        foreach (var (name, _) in received)
        {
            if (SaysWhoAsks(name))
                (told ??= []).Add(name);
        }

        foreach (var name in told ?? [])
            received.Remove(name);
    }

    private static bool SaysWhoAsks(string header) =>
        header.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase)
        || header.Equals("Forwarded", StringComparison.OrdinalIgnoreCase)
        || header.Equals("X-Real-IP", StringComparison.OrdinalIgnoreCase);
}
