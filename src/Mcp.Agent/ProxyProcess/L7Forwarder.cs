using System.Collections.Concurrent;
using System.Net.Sockets;
using Mcp.Agent.ProxyProcess.Passing;
using Yarp.ReverseProxy.Forwarder;

namespace Mcp.Agent.ProxyProcess;

/// <summary>One request: find its host's backend, pass it on, count it while it is under way.</summary>
internal sealed class L7Forwarder(RouteTable table, Passage passage, LocalHeaders local) : IDisposable
{
    private readonly ConcurrentDictionary<TimeSpan, Forwarding> _forwardings = new();
    private readonly Connections _instances = new(
        TimeSpan.FromSeconds(5),
        static async (context, ct) => new NetworkStream(await BackendSocket.ConnectAsync(context.DnsEndPoint, ct), ownsSocket: true));

    /// <summary>From this machine.</summary>
    public Task ForwardAsync(HttpContext context) => ForwardAsync(context, local);

    /// <summary>From another node, over TLS: one that has shown a certificate of the fleet's is an edge node, and knows who
    /// asked.</summary>
    public Task ForwardFromNodeAsync(HttpContext context) =>
        ForwardAsync(context, context.Connection.ClientCertificate is null ? local : AsReceived.Instance);

    private async Task ForwardAsync(HttpContext context, AsItCame headers)
    {
        Pace.Free(context);
        if (!Forwarding.IsForwardable(context))
        {
            context.Response.StatusCode = StatusCodes.Status405MethodNotAllowed;
            await context.Response.WriteAsync("not with this method\n");
            return;
        }

        var found = await table.EnterAsync(context.Request.Host.Host, context.RequestAborted);
        if (found.Backend is not { } backend)
        {
            await RefuseAsync(context.Response, found.Held);
            return;
        }

        var isSocket = Forwarding.IsWebSocket(context);
        if (isSocket)
            backend.BeginSocket();
        try
        {
            var error = await passage.ToInstanceAsync(context, backend.Prefix, _instances, ForwardingOf(found.Idle), headers);
            if (error != ForwarderError.None && !context.Response.HasStarted)
                await context.Response.WriteAsync("the service behind this host does not answer\n");
        }
        finally
        {
            if (isSocket)
                backend.EndSocket();
            backend.Leave();
        }
    }

    // There are few different ones: each is what a file says.
    private Forwarding ForwardingOf(TimeSpan idle) => _forwardings.GetOrAdd(idle, static i => new Forwarding(i));

    private static Task RefuseAsync(HttpResponse response, bool held)
    {
        response.StatusCode = held ? StatusCodes.Status503ServiceUnavailable : StatusCodes.Status404NotFound;
        if (held)
            response.Headers.RetryAfter = "5";
        return response.WriteAsync(held ? "the service behind this host is being updated\n" : "no route for this host\n");
    }

    public void Dispose() => _instances.Dispose();
}
