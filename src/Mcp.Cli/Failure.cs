using System.Security.Authentication;
using Grpc.Core;
using Mcp.Cli.Output;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Protocol.Errors;

namespace Mcp.Cli;

/// <summary>What went wrong in three lines, and the exit code: 1 failed, 2 bad usage or file, 3 not reachable, 4 not allowed.</summary>
internal static class Failure
{
    /// <param name="asked">Who was asked, address:port; empty: nobody.</param>
    public static int Show(Exception e, string asked)
    {
        var (code, what, hint) = e switch
        {
            ServiceFileException file => (2, file.Message, "correct the service file"),
            McpException own => (own.Code.ExitCode, own.Message, own.Hint),
            RpcException { StatusCode: StatusCode.Unimplemented } =>
                (1, "only the master can do this", "you are talking to a single agent: leave out --direct, or mcp login --master"),
            RpcException rpc when Cause(rpc) is AuthenticationException cause =>
            (
                3,
                $"{asked} shows no certificate of the ca.crt of this login: {cause.Message}",
                "log in with the ca.crt of that node or master"),
            RpcException { StatusCode: StatusCode.Unavailable }
                or RpcException { Status.DebugException: HttpRequestException or IOException } =>
            (
                3,
                Unreachable((RpcException)e, asked),
                "does mcp-master or mcp-agent run there, and is the address right? mcp doctor looks closer"),
            RpcException { StatusCode: StatusCode.DeadlineExceeded } => (3, $"{asked} gives no answer in time", "mcp doctor looks closer"),
            RpcException { StatusCode: StatusCode.Unauthenticated or StatusCode.PermissionDenied } rpc =>
                (4, rpc.Status.Detail, ErrorTrailers.HintOf(rpc)),
            RpcException { StatusCode: StatusCode.Cancelled } or OperationCanceledException =>
                (1, "cancelled", "what had begun goes on by itself; mcp events says how it ends"),
            RpcException { StatusCode: StatusCode.InvalidArgument } rpc => (2, rpc.Status.Detail, ErrorTrailers.HintOf(rpc)),
            RpcException rpc => (1, Told(rpc.Status.Detail), ErrorTrailers.HintOf(rpc)),
            _ => (1, e.Message, ""),
        };
        Console.Error.WriteLine(Visible.Lines($"mcp: {what}"));
        if (hint.Length > 0)
            Console.Error.WriteLine(Visible.Lines($"  -> {hint}"));
        return code;
    }

    // Words of a registry or of a program may be among them, with lines that look like our own.
    private static string Told(string detail) => string.Join(
        '\n', detail.Split('\n').Select((line, i) => i == 0 || line.Length == 0 || line[0] == ' ' ? line : $"     {line}"));

    private static string Unreachable(RpcException e, string asked) => $"{asked} cannot be reached: {Cause(e)?.Message ?? e.Status.Detail}";

    private static Exception? Cause(RpcException e) => e.Status.DebugException?.GetBaseException();
}
