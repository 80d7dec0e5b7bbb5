using Microsoft.Extensions.Primitives;

namespace Mcp.Agent.ProxyProcess.Passing;

/// <summary>What no server gets, and why.</summary>
internal sealed record Refusal(int Status, string Why)
{
    private const string Methods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
    private static readonly Refusal s_target = new(StatusCodes.Status400BadRequest, "the target has characters that must be escaped\n");
    private static readonly Refusal s_port = new(StatusCodes.Status400BadRequest, "the port of the Host header is not one\n");
    private static readonly Refusal s_method = new(StatusCodes.Status405MethodNotAllowed, "not with this method\n");
    private static readonly Refusal s_coding = new(
        StatusCodes.Status501NotImplemented, "of Transfer-Encoding only chunked is supported\n");

    /// <summary>Null: it is passed on.</summary>
    public static Refusal? Of(HttpContext context)
    {
        if (!AsItCame.IsWritten(context))
            return s_target;
        if (!HasPort(context.Request.Host))
            return s_port;
        if (!IsChunkedOnly(context.Request.Headers.TransferEncoding))
            return s_coding;
        return Forwarding.IsForwardable(context) ? null : s_method;
    }

    public Task AnswerAsync(HttpResponse response)
    {
        response.StatusCode = Status;
        if (Status == StatusCodes.Status405MethodNotAllowed)
            response.Headers.Allow = Methods;
        return response.WriteAsync(Why);
    }

    /// <summary>Coded otherwise, it would have to be undone (RFC 9112 6.1).</summary>
    public static bool IsChunked(string? coding) => "chunked".Equals(coding?.Trim(), StringComparison.OrdinalIgnoreCase);

    private static bool IsChunkedOnly(StringValues codings) => codings.Count == 0 || (codings.Count == 1 && IsChunked(codings[0]));

    // Kestrel takes any number, and .NET's client would put a Host of its own before one that it cannot read.
    private static bool HasPort(HostString host)
    {
        var text = host.Value ?? "";
        var colon = text.LastIndexOf(':');
        return colon < 0 || text.EndsWith(']') || host.Port is >= 0 and <= ushort.MaxValue;
    }
}
