using System.Collections.Concurrent;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Mcp.Daemon.Doors;

namespace Mcp.Master.Nodes;

/// <summary>
/// What an agent may say: an agent may be broken, or taken over. An answer that is longer, or has more parts, than its kind of call needs
/// is an error (RESOURCE_EXHAUSTED) before it becomes objects; texts in it are cut; a deploy that tells its progress without end is ended.
/// </summary>
internal sealed class BoundedAnswers : Interceptor
{
    /// <summary>Of all: the status of a node with some 30,000 components.</summary>
    public const int Longest = 8 * 1024 * 1024;

    // A service file has at most 1 MiB; ten thousand lines of what was adopted take as much.
    private const int LongestUsual = 2 * 1024 * 1024;

    // Texts and messages in one answer; a component has some fifteen.
    private const int MostParts = 400_000;

    // Of one deploy: 50 a second for as long as one may take.
    private const int MostSteps = 100_000;
    // As an agent sends it.
    private const int LongestLogLine = 1024 * 1024;

    private static readonly ConcurrentDictionary<IMethod, IMethod> s_methods = new();

    public override AsyncUnaryCall<TResponse> AsyncUnaryCall<TRequest, TResponse>(
        TRequest request,
        ClientInterceptorContext<TRequest, TResponse> context,
        AsyncUnaryCallContinuation<TRequest, TResponse> continuation) => continuation(request, Bounded(context));

    public override AsyncClientStreamingCall<TRequest, TResponse> AsyncClientStreamingCall<TRequest, TResponse>(
        ClientInterceptorContext<TRequest, TResponse> context,
        AsyncClientStreamingCallContinuation<TRequest, TResponse> continuation) => continuation(Bounded(context));

    public override AsyncServerStreamingCall<TResponse> AsyncServerStreamingCall<TRequest, TResponse>(
        TRequest request,
        ClientInterceptorContext<TRequest, TResponse> context,
        AsyncServerStreamingCallContinuation<TRequest, TResponse> continuation)
    {
        var call = continuation(request, Bounded(context));
        return context.Method.Name is "Deploy" or "DeployPlanned"
            ? new AsyncServerStreamingCall<TResponse>(
                new Counted<TResponse>(call.ResponseStream),
                call.ResponseHeadersAsync,
                call.GetStatus,
                call.GetTrailers,
                call.Dispose)
            : call;
    }

    private static ClientInterceptorContext<TRequest, TResponse> Bounded<TRequest, TResponse>(
        ClientInterceptorContext<TRequest, TResponse> context)
        where TRequest : class
        where TResponse : class
    {
        // Kept: a channel remembers every method that it was ever called with.
        var method = (Method<TRequest, TResponse>)s_methods.GetOrAdd(context.Method, _ => Bounded(context.Method));
        return new ClientInterceptorContext<TRequest, TResponse>(method, context.Host, context.Options);
    }

    private static Method<TRequest, TResponse> Bounded<TRequest, TResponse>(Method<TRequest, TResponse> method)
        where TRequest : class
        where TResponse : class
    {
        var answer = Protocol.V1.Agent.Descriptor.FindMethodByName(method.Name).OutputType;
        var marshaller = new Marshaller<TResponse>(method.ResponseMarshaller.ContextualSerializer, payload =>
        {
            var cut = IsCutNeeded(method.Name, answer, payload);
            var message = method.ResponseMarshaller.ContextualDeserializer(payload);
            if (cut)
                Texts.CutIn((IMessage)message, method.Name == "Logs" ? LongestLogLine : Texts.Longest);
            return message;
        });
        return new Method<TRequest, TResponse>(method.Type, method.ServiceName, method.Name, method.RequestMarshaller, marshaller);
    }

    private static bool IsCutNeeded(string method, MessageDescriptor answer, DeserializationContext payload)
    {
        var longest = method switch
        {
            "Status" or "LiveCheck" or "Sync" or "ListEdgeRoutes" or "Logs" => Longest,
            _ => LongestUsual,
        };
        if (payload.PayloadLength > longest)
            throw TooMuch($"an answer of {payload.PayloadLength} bytes to {method}; at most {longest} are taken");
        var wire = WireCheck.Of(payload.PayloadAsReadOnlySequence(), answer, MostParts);
        if (wire.Parts > MostParts)
            throw TooMuch($"an answer to {method} with more than {MostParts} parts");
        return wire.LongestText > Texts.Longest && method != "ShowService";
    }

    private static RpcException TooMuch(string what) => new(new Status(StatusCode.ResourceExhausted, what));

    private sealed class Counted<T>(IAsyncStreamReader<T> inner) : IAsyncStreamReader<T>
    {
        private int _steps;

        public T Current => inner.Current;

        public async Task<bool> MoveNext(CancellationToken cancellationToken)
        {
            if (!await inner.MoveNext(cancellationToken))
                return false;
            return ++_steps <= MostSteps ? true : throw TooMuch($"more than {MostSteps} lines of progress of one deploy");
        }
    }
}
