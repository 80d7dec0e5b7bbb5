using Microsoft.AspNetCore.Http.Features;
using Microsoft.Net.Http.Headers;
using Yarp.ReverseProxy.Forwarder;

namespace Mcp.Agent.ProxyProcess.Passing;

/// <summary>Passes one request on to a server, by connections that suit it.</summary>
internal sealed class Passage(IHttpForwarder forwarder)
{
    private static readonly TimeSpan s_connect = TimeSpan.FromSeconds(5);

    /// <summary>To an instance on this machine, which speaks HTTP/1.1, or HTTP/2 for gRPC.</summary>
    public ValueTask<ForwarderError> ToInstanceAsync(
        HttpContext context, string prefix, Connections connections, Forwarding forwarding, AsItCame headers)
    {
        if (!MayBeRefused(context.Request))
            return SendAsync(context, prefix, connections, forwarding, headers);
        return UploadAsync(context, async upload =>
        {
            using var own = Connections.Client(
                s_connect,
                async (c, ct) => new UploadConnection(await BackendSocket.ConnectAsync(c.DnsEndPoint, ct), upload));
            return await forwarder.SendAsync(context, prefix, own, forwarding.Http, headers);
        });
    }

    /// <summary>To another node's proxy. HTTP/2, where the answer may come before the request's end; by a connection of its own, since
    /// those that share one wait for each other's bodies to be read.</summary>
    public ValueTask<ForwarderError> ToNodeAsync(
        HttpContext context, string prefix, Connections connections, Forwarding forwarding, AsItCame headers)
    {
        if (!MayBeRefused(context.Request))
            return SendAsync(context, prefix, connections, forwarding, headers);
        return UploadAsync(context, async _ =>
        {
            using var own = connections.Own();
            return await forwarder.SendAsync(context, prefix, own, forwarding.Http2, headers);
        });
    }

    private ValueTask<ForwarderError> SendAsync(
        HttpContext context, string prefix, Connections connections, Forwarding forwarding, AsItCame headers)
    {
        // The forwarder would make a GET of it; a WebSocket begins with no other method (RFC 6455 4.1).
        if (context.Request.Headers.Upgrade.Count > 0 && !HttpMethods.IsGet(context.Request.Method))
            context.Request.Headers.Remove(HeaderNames.Upgrade);
        if (!AsItCame.IsAsterisk(context))
            return forwarder.SendAsync(context, prefix, connections.Usual, forwarding.For(context.Request), headers);
        // TLS is its own connection's affair: the client would begin it over again.
        var plain = prefix.Replace("https://", "http://", StringComparison.Ordinal);
        return forwarder.SendAsync(context, plain, connections.Asterisk, forwarding.Http, headers);
    }

    private static async ValueTask<ForwarderError> UploadAsync(HttpContext context, Func<Upload, Task<ForwarderError>> send)
    {
        var received = context.Request.Body;
        await using var upload = new Upload(received, context.Request.ContentLength);
        context.Request.Body = upload;
        try
        {
            return await send(upload);
        }
        finally
        {
            context.Request.Body = received;
        }
    }

    // A body that nobody has measured is there by its Transfer-Encoding, or by HTTP/2.
    private static bool MayBeLong(HttpRequest request) => request.ContentLength is { } length
        ? length > Upload.Short || (length > 0 && request.Headers.Expect.Count > 0)
        : (HttpProtocol.IsHttp2(request.Protocol) || request.Headers.TransferEncoding.Count > 0)
            && request.HttpContext.Feature<IHttpRequestBodyDetectionFeature>()?.CanHaveBody == true;

    private static bool MayBeRefused(HttpRequest request) =>
        MayBeLong(request)
        && !AsItCame.IsAsterisk(request.HttpContext)
        && request.Headers.Upgrade.Count == 0
        && !HttpMethods.IsConnect(request.Method)
        && !Forwarding.IsGrpc(request);
}
