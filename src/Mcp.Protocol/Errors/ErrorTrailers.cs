using System.Text;
using Grpc.Core;
using Mcp.Model.Errors;

namespace Mcp.Protocol.Errors;

/// <summary>How our errors travel: the status and its message as gRPC has them, and two trailers, the code and the hint.</summary>
public static class ErrorTrailers
{
    private const string Code = "mcp-code";

    // Header values are ASCII; what is not is percent-encoded by gRPC only in the message.
    private const string Hint = "mcp-hint-bin";

    public static Metadata Of(McpException e) => new() { { Code, e.Code.Text }, { Hint, Encoding.UTF8.GetBytes(e.Hint) } };

    /// <summary>Null: it is no answer of one of our programs, but of what lies between, or silence.</summary>
    /// <param name="longest">Characters that are read of a code; what comes from outside may be of any length.</param>
    public static ErrorCode? CodeOf(RpcException e, int longest = 64) =>
        e.Trailers.GetValue(Code) is { Length: > 0 } code ? ErrorCode.Of(code.Length <= longest ? code : code[..longest]) : null;

    /// <summary>Empty: none.</summary>
    public static string HintOf(RpcException e) => e.Trailers.GetValueBytes(Hint) is { } hint ? Encoding.UTF8.GetString(hint) : "";
}
