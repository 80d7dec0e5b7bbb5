using Grpc.Core;
using Grpc.Core.Interceptors;
using Mcp.Daemon.Errors;
using Mcp.Model.Errors;
using Microsoft.Extensions.Logging;

namespace Mcp.Daemon.Identity;

/// <summary>Every call: may whoever it is, and a line of it in the audit log.</summary>
public sealed class AuthInterceptor(
    Authenticate who,
    RoleTable roles,
    AuditLog audit,
    TimeProvider time,
    ILogger<AuthInterceptor> logger) : Interceptor
{
    private const string CallerKey = "mcp-caller";

    public static Caller CallerOf(ServerCallContext context) => (Caller)context.UserState[CallerKey];

    public override Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request,
        ServerCallContext context,
        UnaryServerMethod<TRequest, TResponse> continuation) =>
        GuardAsync(context, () => continuation(request, context));

    public override Task<TResponse> ClientStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream,
        ServerCallContext context,
        ClientStreamingServerMethod<TRequest, TResponse> continuation) =>
        GuardAsync(context, () => continuation(requestStream, context));

    public override Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request,
        IServerStreamWriter<TResponse> responseStream,
        ServerCallContext context,
        ServerStreamingServerMethod<TRequest, TResponse> continuation) =>
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
        var name = "nobody";
        var result = "ok";
        try
        {
            var caller = await who.CallerAsync(context);
            name = caller.Name;
            if (roles.Needed(context.Method) is not { } needed || !caller.Role.May(needed))
                throw MayNot(caller, context.Method);
            context.UserState[CallerKey] = caller;
            return await call();
        }
        catch (Exception e)
        {
            var told = Told(e, context);
            result = told.StatusCode.ToString();
            throw told;
        }
        finally
        {
            audit.Write(name, context.Method, context.Peer, result, time.GetElapsedTime(started));
        }
    }

    private McpException MayNot(Caller caller, string method) => new(
        ErrorCode.AuthRole,
        $"{caller.Name} has the role {Spell(caller.Role)}, which may not do this ({method[(method.LastIndexOf('/') + 1)..]})",
        $"ask for a token with the role {Spell(roles.Needed(method))}");

    private static string? Spell(Role? role) => role?.ToString().ToLowerInvariant();

    private RpcException Told(Exception e, ServerCallContext context)
    {
        if (e is OperationCanceledException && context.CancellationToken.IsCancellationRequested)
            return new RpcException(new Status(StatusCode.Cancelled, "cancelled"));
        if (Refusal.Of(e) is { } expected)
            return expected;
        logger.LogError(e, "{Method} failed", context.Method);
        return Refusal.OfFault(e);
    }
}
