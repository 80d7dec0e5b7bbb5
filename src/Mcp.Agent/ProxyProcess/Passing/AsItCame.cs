using System.Net;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Net.Http.Headers;
using Yarp.ReverseProxy.Forwarder;

namespace Mcp.Agent.ProxyProcess.Passing;

/// <summary>Passes requests and answers on with their bytes as they are: the target as the client wrote it, all headers but those of the
/// connection (RFC 9110 7.6.1).</summary>
internal abstract class AsItCame : HttpTransformer
{
    private static readonly UriCreationOptions s_asIs = new() { DangerousDisablePathAndQueryCanonicalization = true };

    // Without these a message is another one, whoever asks for it.
    private static readonly string[] s_kept = [HeaderNames.Host, HeaderNames.ContentLength, HeaderNames.TransferEncoding];

    /// <summary>Whether its target is one (RFC 9112 3.2): Kestrel lets control characters through.</summary>
    public static bool IsWritten(HttpContext context) => RawTarget(context).AsSpan().IndexOfAnyExceptInRange('!', '~') < 0;

    /// <summary>Whether it is about the server as a whole.</summary>
    public static bool IsAsterisk(HttpContext context) => RawTarget(context) == "*";

    /// <summary>What the request asks for, as path and query.</summary>
    public static string Target(HttpContext context)
    {
        var raw = RawTarget(context);
        if (raw.StartsWith('/'))
            return raw;
        if (raw == "*")
            return AsteriskConnection.Target;
        // Absolute: to a proxy.
        var authority = raw.IndexOf("://", StringComparison.Ordinal);
        if (authority < 0)
            return "/";
        var rest = raw.AsSpan(authority + 3);
        var at = rest.IndexOfAny('/', '?');
        if (at < 0)
            return "/";
        return rest[at] == '/' ? rest[at..].ToString() : $"/{rest[at..]}";
    }

    public override async ValueTask TransformRequestAsync(
        HttpContext httpContext,
        HttpRequestMessage proxyRequest,
        string destinationPrefix,
        CancellationToken cancellationToken)
    {
        var received = httpContext.Request.Headers;
        foreach (var value in received.Connection)
        {
            foreach (var named in Named(value))
                received.Remove(named);
        }

        await base.TransformRequestAsync(httpContext, proxyRequest, destinationPrefix, cancellationToken);
        proxyRequest.RequestUri = new Uri(destinationPrefix + Target(httpContext), s_asIs);
    }

    public override async ValueTask<bool> TransformResponseAsync(
        HttpContext httpContext,
        HttpResponseMessage? proxyResponse,
        CancellationToken cancellationToken)
    {
        if (proxyResponse is not null && !MayPass(httpContext, proxyResponse))
        {
            // Else the forwarder takes what follows for the other protocol.
            proxyResponse.StatusCode = HttpStatusCode.BadGateway;
            httpContext.Response.StatusCode = StatusCodes.Status502BadGateway;
            await httpContext.Response.WriteAsync("the answer of the service behind this host cannot be passed on\n", cancellationToken);
            return false;
        }

        var go = await base.TransformResponseAsync(httpContext, proxyResponse, cancellationToken);
        // It has no body, whatever it says of one (RFC 9110 15.3.5).
        if (proxyResponse is { StatusCode: HttpStatusCode.NoContent })
            httpContext.Response.ContentLength = null;
        if (proxyResponse?.Headers.NonValidated.TryGetValues(HeaderNames.Connection, out var connection) == true)
        {
            foreach (var value in connection)
            {
                foreach (var named in Named(value))
                    httpContext.Response.Headers.Remove(named);
            }
        }

        return go;
    }

    /// <summary>After the last byte of the answer: where the client is still sending, nobody wants the rest.</summary>
    public override async ValueTask TransformResponseTrailersAsync(
        HttpContext httpContext,
        HttpResponseMessage proxyResponse,
        CancellationToken cancellationToken)
    {
        await base.TransformResponseTrailersAsync(httpContext, proxyResponse, cancellationToken);
        if (httpContext.Request.Body is Upload upload)
        {
            await httpContext.Response.CompleteAsync();
            upload.End();
        }
    }

    // Another protocol that nobody has asked for (RFC 9110 15.2.2), or bytes that are coded as nobody said they may be.
    private static bool MayPass(HttpContext context, HttpResponseMessage response)
    {
        var headers = response.Headers.NonValidated;
        if (response.StatusCode == HttpStatusCode.SwitchingProtocols)
            return Forwarding.IsWebSocket(context) && headers.TryGetValues(HeaderNames.Upgrade, out var to) && Forwarding.IsNamed($"{to}");
        return !headers.TryGetValues(HeaderNames.TransferEncoding, out var codings)
            || (codings.Count == 1 && Refusal.IsChunked($"{codings}"));
    }

    // Nearly always it is about the connection itself.
    private static IEnumerable<string> Named(string? connection) => connection is null or "keep-alive" or "close" or "Keep-Alive"
        ? []
        : connection.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Where(IsDropped);

    private static bool IsDropped(string name) =>
        !name.Equals(HeaderNames.Upgrade, StringComparison.OrdinalIgnoreCase) && !s_kept.Contains(name, StringComparer.OrdinalIgnoreCase);

    private static string RawTarget(HttpContext context) => context.Feature<IHttpRequestFeature>()!.RawTarget;
}
