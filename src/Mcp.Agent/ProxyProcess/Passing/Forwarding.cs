using System.Net;
using Microsoft.AspNetCore.Http.Features;
using Yarp.ReverseProxy.Forwarder;

namespace Mcp.Agent.ProxyProcess.Passing;

/// <summary>How requests are passed on.</summary>
/// <param name="idle">How long nothing may pass, of a WebSocket, too.</param>
internal sealed class Forwarding(TimeSpan idle)
{
    public ForwarderRequestConfig Http { get; } = new()
    {
        ActivityTimeout = idle,
        Version = HttpVersion.Version11,
        VersionPolicy = HttpVersionPolicy.RequestVersionExact,
    };

    public ForwarderRequestConfig Http2 { get; } = new()
    {
        ActivityTimeout = idle,
        Version = HttpVersion.Version20,
        VersionPolicy = HttpVersionPolicy.RequestVersionExact,
    };

    // gRPC exists on HTTP/2 only, so its servers speak that without TLS and without asking.
    public ForwarderRequestConfig For(HttpRequest request) => IsGrpc(request) ? Http2 : Http;

    /// <summary>CONNECT is for tunnels, but for WebSocket over HTTP/2 (RFC 8441); TRACE shows headers that a page must not see.</summary>
    public static bool IsForwardable(HttpContext context) =>
        !HttpMethods.IsTrace(context.Request.Method) && (!HttpMethods.IsConnect(context.Request.Method) || IsExtended(context));

    /// <summary>On HTTP/1.1, or on HTTP/2 (RFC 8441).</summary>
    public static bool IsWebSocket(HttpContext context) =>
        (HttpMethods.IsGet(context.Request.Method) && IsNamed(context.Request.Headers.Upgrade)) || IsExtended(context);

    public static bool IsNamed(string? upgrade) => "websocket".Equals(upgrade, StringComparison.OrdinalIgnoreCase);

    public static bool IsExtended(HttpContext context) =>
        HttpMethods.IsConnect(context.Request.Method)
        && context.Feature<IHttpExtendedConnectFeature>() is { IsExtendedConnect: true, Protocol: "websocket" };

    public static bool IsGrpc(HttpRequest request) =>
        HttpProtocol.IsHttp2(request.Protocol)
        && request.ContentType?.StartsWith("application/grpc", StringComparison.OrdinalIgnoreCase) == true;
}
