using Grpc.Core;
using Grpc.Core.Interceptors;
using Mcp.Daemon.Operations;
using Mcp.Daemon.Storage;
using Mcp.Model;
using Mcp.Model.Definition;
using Microsoft.Extensions.Logging;

namespace Mcp.Daemon.Identity;

/// <summary>Every call: who is it, may they, write it down, and turn our errors into statuses with the trailers mcp-code and mcp-hint.</summary>
public sealed class AuthInterceptor(TokenSigner tokens, RoleTable roles, AuditLog audit, TimeProvider time, ILogger<AuthInterceptor> logger) : Interceptor
{
    private const string CallerKey = "mcp-caller";

    public static Caller CallerOf(ServerCallContext context) => (Caller)context.UserState[CallerKey];

    public override Task<TResponse> UnaryServerHandler<TRequest, TResponse>(TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation) =>
        GuardAsync(context, () => continuation(request, context));

    public override Task<TResponse> ClientStreamingServerHandler<TRequest, TResponse>(IAsyncStreamReader<TRequest> requestStream, ServerCallContext context, ClientStreamingServerMethod<TRequest, TResponse> continuation) =>
        GuardAsync(context, () => continuation(requestStream, context));

    public override Task ServerStreamingServerHandler<TRequest, TResponse>(TRequest request, IServerStreamWriter<TResponse> responseStream, ServerCallContext context, ServerStreamingServerMethod<TRequest, TResponse> continuation) =>
        GuardAsync(context, async () =>
        {
            await continuation(request, responseStream, context);
            return true;
        });

    public override Task DuplexStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream,
        IServerStreamWriter<TResponse> responseStream,
        ServerCallContext context,
        DuplexStreamingServerMethod<TRequest, TResponse> continuation) =>
        GuardAsync(context, async () =>
        {
            await continuation(requestStream, responseStream, context);
            return true;
        });

    private async Task<T> GuardAsync<T>(ServerCallContext context, Func<Task<T>> call)
    {
        if (RoleTable.IsOpen(context.Method))
            return await call();
        var started = time.GetTimestamp();
        var who = "nobody";
        var result = "ok";
        try
        {
            var caller = await AuthenticateAsync(context);
            who = caller.Name;
            if (roles.Needed(context.Method) is not { } needed || !caller.Role.May(needed))
                throw Status(StatusCode.PermissionDenied, new McpException("auth.role", $"{caller.Name} is {caller.Role.ToString().ToLowerInvariant()} and may not call {context.Method[(context.Method.LastIndexOf('/') + 1)..]}", $"ask for a token with the role {roles.Needed(context.Method)?.ToString().ToLowerInvariant()}"));
            context.UserState[CallerKey] = caller;
            return await call();
        }
        catch (Exception e)
        {
            var mapped = Map(e, context);
            result = mapped.StatusCode.ToString();
            throw mapped;
        }
        finally
        {
            audit.Write(who, context.Method, context.Peer, result, time.GetElapsedTime(started));
        }
    }

    private async Task<Caller> AuthenticateAsync(ServerCallContext context)
    {
        if (context.GetHttpContext().Connection.ClientCertificate is { } shown && PeerName.Of(shown) is { } peer)
            return new Caller(peer.Name.Text, peer.IsMaster ? Role.Admin : Role.Node, shown.NotAfter.ToUniversalTime(), PeerName.KeyOf(shown));
        var header = context.RequestHeaders.GetValue("authorization");
        if (header is null && roles.Needed(context.Method) == Role.Anyone)
            return new Caller("nobody", Role.Anyone, DateTimeOffset.MaxValue);
        if (header is null || !header.StartsWith("Bearer ", StringComparison.Ordinal))
            throw Status(StatusCode.Unauthenticated, new McpException("auth.missing", "no token was sent", "run: mcp login"));
        var (caller, refusal) = await tokens.VerifyAsync(header["Bearer ".Length..]);
        return caller ?? throw Status(StatusCode.Unauthenticated, new McpException("auth.invalid", refusal, "run: mcp login with a fresh token"));
    }

    private RpcException Map(Exception e, ServerCallContext context)
    {
        switch (e)
        {
            case RpcException rpc:
                return rpc;
            case StepFailedException step:
                return Status(StatusCode.Aborted, new McpException(step.Reason.Code, $"step {step.Step} failed{step.Aftermath}: {step.Reason.Message}", step.Reason.Hint, e));
            case ServiceFileException file:
                return Status(StatusCode.InvalidArgument, new McpException("definition.invalid", file.Message, "correct the service file", e));
            case McpException own:
                return Status(own.Code.EndsWith(".unknown", StringComparison.Ordinal) ? StatusCode.NotFound : StatusCode.FailedPrecondition, own);
            case OperationCanceledException when context.CancellationToken.IsCancellationRequested:
                return new RpcException(new Status(StatusCode.Cancelled, "cancelled"));
            case Exception when StorageFault.Explain(e) is { } fault:
                return Status(StatusCode.ResourceExhausted, fault);
            default:
                logger.LogError(e, "{Method} failed", context.Method);
                return Status(StatusCode.Internal, new McpException("internal", $"{e.GetType().Name}: {e.Message}", "this is a fault of mcp; the log of the program has the details", e));
        }
    }

    // Header values are ASCII; what is not is percent-encoded by gRPC only in the message.
    private static RpcException Status(StatusCode status, McpException e) =>
        new(new Status(status, e.Message), new Metadata { { "mcp-code", e.Code }, { "mcp-hint-bin", System.Text.Encoding.UTF8.GetBytes(e.Hint) } });
}
