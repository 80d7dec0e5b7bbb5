using System.Security.Authentication;
using Grpc.Core;
using Mcp.Cli.Output;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Protocol.Errors;
using Mcp.Usage;

namespace Mcp.Cli;

/// <summary>What went wrong, and the exit code: 1 failed, 2 bad usage or file, 3 not reachable, 4 not allowed; 130, 143 and 141 when it
/// was ended from outside.</summary>
/// <param name="Code">For programs; without a dot where it is no code of an agent or master.</param>
internal sealed record Failure(int ExitCode, string Code, string What, string Hint)
{
    /// <summary>Tells it on standard error.</summary>
    /// <param name="asked">Who was asked, address:port; empty: nobody.</param>
    /// <param name="changes">Something may go on although it was cancelled.</param>
    /// <param name="hint">Before the error's own.</param>
    public static int Show(Exception e, string asked, bool json = false, bool changes = false, string hint = "")
    {
        if (Interrupt.Code is { } code)
        {
            if (changes)
                Tell(Of(e, asked), json);
            return code;
        }

        if (Interrupt.ReaderGone.IsCancellationRequested && IsCancelled(e))
            return Interrupt.ByReader;
        var failure = Of(e, asked);
        if (hint.Length > 0)
            failure = failure with { Hint = failure.Hint.Length > 0 ? $"{hint} {failure.Hint}" : hint };
        Tell(failure, json);
        return failure.ExitCode;
    }

    /// <param name="asked">Who was asked, address:port; empty: nobody.</param>
    public static Failure Of(Exception e, string asked) => e switch
    {
        ServiceFileException file => new(2, ErrorCode.DefinitionInvalid.Text, file.Message, "correct the service file"),
        McpException own => new(own.Code.ExitCode, own.Code.Text, own.Message, own.Hint),
        RpcException { StatusCode: StatusCode.Unimplemented } => new(
            1,
            "unsupported",
            "only the master can do this",
            "you are talking to a single agent: leave out --direct, or mcp login --master"),
        RpcException rpc when Cause(rpc) is AuthenticationException cause => new(
            3,
            "unreachable",
            $"{asked} shows a certificate that the ca.crt of this login did not sign: {cause.Message}",
            "log in with the ca.crt of that node or master"),
        RpcException { StatusCode: StatusCode.Unavailable } rpc => Unreachable(rpc, asked),
        RpcException { Status.DebugException: HttpRequestException or IOException } rpc => Unreachable(rpc, asked),
        RpcException { StatusCode: StatusCode.DeadlineExceeded } => new(
            3,
            "unreachable",
            $"{asked} did not answer in time",
            "mcp doctor looks closer"),
        RpcException { StatusCode: StatusCode.Unauthenticated or StatusCode.PermissionDenied } rpc => Refused(4, rpc),
        _ when IsCancelled(e) => new(
            1,
            "cancelled",
            "cancelled",
            "what had begun goes on by itself; mcp events says how it ends"),
        RpcException { StatusCode: StatusCode.InvalidArgument } rpc => Refused(2, rpc),
        RpcException rpc => Refused(1, rpc),
        _ => new(1, "failed", e.Message, ""),
    };

    private static bool IsCancelled(Exception e) => e is OperationCanceledException or RpcException { StatusCode: StatusCode.Cancelled };

    private static Failure Unreachable(RpcException e, string asked) => new(
        3,
        "unreachable",
        $"{asked} cannot be reached: {Cause(e)?.Message ?? e.Status.Detail}",
        "does mcp-master or mcp-agent run there, and is the address right? mcp doctor looks closer");

    private static Failure Refused(int exitCode, RpcException e) =>
        new(exitCode, ErrorTrailers.CodeOf(e)?.Text ?? "failed", Told(e.Status.Detail), ErrorTrailers.HintOf(e));

    private static void Tell(Failure failure, bool json)
    {
        if (json)
        {
            Console.Error.WriteLine(ErrorJson.Of(failure.Code, failure.What, failure.Hint, failure.ExitCode));
            return;
        }

        Console.Error.WriteLine(Visible.Lines($"mcp: {failure.What}"));
        if (failure.Hint.Length > 0)
            Console.Error.WriteLine(Visible.Lines($"  -> {failure.Hint}"));
    }

    // Words of a registry or of a program may be among them, with lines that look like our own.
    private static string Told(string detail) => string.Join(
        '\n', detail.Split('\n').Select((line, i) => i == 0 || line.Length == 0 || line[0] == ' ' ? line : $"     {line}"));

    private static Exception? Cause(RpcException e) => e.Status.DebugException?.GetBaseException();
}
