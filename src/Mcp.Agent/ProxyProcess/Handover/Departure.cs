using Microsoft.AspNetCore.Connections.Features;

namespace Mcp.Agent.ProxyProcess.Handover;

/// <summary>The end of a proxy that has given its listening sockets away. Each connection ends with its next answer, WebSockets and streams
/// when they end by themselves, all of them after <see cref="Longest"/>; then the process ends, whether there is an agent or not.</summary>
/// <param name="connections">How many there are.</param>
internal sealed class Departure(ListenSockets sockets, Func<int> connections, Action end, TimeProvider time)
{
    public static readonly TimeSpan Longest = TimeSpan.FromMinutes(10);

    // Two looks without a connection: one that was taken at the last moment is counted by then.
    private const int Looks = 2;
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(250);
    private volatile bool _begun;

    public bool HasBegun => _begun;

    public void Begin()
    {
        _begun = true;
        sockets.Close();
        _ = EndAsync();
    }

    /// <summary>Middleware.</summary>
    public Task PassAsync(HttpContext context, RequestDelegate next)
    {
        if (_begun && Entrance.Of(context) != EntranceKind.Control)
            Last(context);
        return next(context);
    }

    // An idle connection is left alone: its client may be asking this very moment. With HTTP/2 those that are under way are told by GOAWAY.
    private static void Last(HttpContext context)
    {
        if (HttpProtocol.IsHttp2(context.Request.Protocol))
        {
            context.Features.Get<IConnectionLifetimeNotificationFeature>()?.RequestClose();
            return;
        }

        context.Response.OnStarting(
            static response =>
            {
                var answer = (HttpResponse)response;
                if (answer.StatusCode != StatusCodes.Status101SwitchingProtocols)
                    answer.Headers.Connection = "close";
                return Task.CompletedTask;
            },
            context.Response);
    }

    private async Task EndAsync()
    {
        var began = time.GetTimestamp();
        for (var empty = 0; empty < Looks && time.GetElapsedTime(began) < Longest; await Task.Delay(s_look, time))
            empty = connections() == 0 ? empty + 1 : 0;
        end();
    }
}
