using System.Text;
using Grpc.Core;
using Mcp.Daemon.Doors;
using Mcp.Daemon.Operations;
using Mcp.Daemon.Storage;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Protocol.Errors;

namespace Mcp.Daemon.Errors;

/// <summary>What a caller is told of a failure: which status, and with which trailers.</summary>
public static class Refusal
{
    // Of a message and of a hint. A client takes 64 KiB of trailers, in which the message is percent-encoded and the hint in base64.
    private const int Longest = 8192;
    private const int MostEncoded = 40 * 1024;
    private const int LongestHint = 4096;
    private const int Escaped = 3;
    private const int LongestCharacter = 3;

    /// <summary>Null: nothing that anybody expected, so a fault of ours.</summary>
    public static RpcException? Of(Exception e) => e switch
    {
        RpcException rpc => rpc,
        StepFailedException step => Of(StepFailed(step), ErrorStatus.Aborted),
        ServiceFileException file => Of(new McpException(ErrorCode.DefinitionInvalid, file.Message, "correct the service file", e)),
        McpException own => Of(own),
        _ when StorageFault.Explain(e) is { } fault => Of(fault),
        _ => null,
    };

    public static RpcException Of(McpException e) => Of(e, e.Code.Status);

    /// <summary>Of what nobody expected.</summary>
    public static RpcException OfFault(Exception e)
    {
        var hint = FailureText.IsOurs(e) ? FailureText.OurFault : "mcp doctor; the log of the program has the details";
        return Of(new McpException(ErrorCode.Internal, FailureText.Of(e), hint, e));
    }

    // Whatever the reason's own status: it was begun, and is told as what it came to.
    private static McpException StepFailed(StepFailedException e) =>
        new(e.Reason.Code, $"step {e.Step} failed{e.Aftermath}: {e.Reason.Message}", e.Reason.Hint, e);

    private static RpcException Of(McpException e, ErrorStatus status) =>
        new(new Status(CodeOf(status), Fitting(e.Message)), ErrorTrailers.Of(Fitting(e)));

    private static McpException Fitting(McpException e) =>
        e.Hint.Length <= LongestHint ? e : new McpException(e.Code, e.Message, Texts.Cut(e.Hint, LongestHint), e);

    private static string Fitting(string text)
    {
        var cut = Texts.Cut(text, Longest);
        return Encoded(cut) <= MostEncoded ? cut : Texts.Cut(cut, MostEncoded / Escaped / LongestCharacter);
    }

    private static int Encoded(string text) =>
        Encoding.UTF8.GetBytes(text).Sum(b => b is >= (byte)' ' and <= (byte)'~' and not (byte)'%' ? 1 : Escaped);

    private static StatusCode CodeOf(ErrorStatus status) => status switch
    {
        ErrorStatus.FailedPrecondition => StatusCode.FailedPrecondition,
        ErrorStatus.NotFound => StatusCode.NotFound,
        ErrorStatus.InvalidArgument => StatusCode.InvalidArgument,
        ErrorStatus.PermissionDenied => StatusCode.PermissionDenied,
        ErrorStatus.Unauthenticated => StatusCode.Unauthenticated,
        ErrorStatus.ResourceExhausted => StatusCode.ResourceExhausted,
        ErrorStatus.Aborted => StatusCode.Aborted,
        ErrorStatus.Internal => StatusCode.Internal,
    };
}
