using System.Globalization;
using System.Text.Json;
using Mcp.Agent.Proxy;
using Mcp.Agent.ProxyProcess.Handover;

namespace Mcp.Agent.ProxyProcess;

/// <summary>Answers the agent on the control socket: PUT /routes, GET /who, GET /in-flight/PORT, GET /requests/PORT, POST /end. Also one
/// that has given its listening sockets away: it still carries requests, and they go by the routes in force.</summary>
internal sealed class ProxyControl(
    RouteTable table, StoredRoutes stored, ProxyIdentity identity, Departure departure, IHostApplicationLifetime lifetime)
{
    public async Task AnswerAsync(HttpContext context)
    {
        var path = context.Request.Path.Value ?? "";
        if (context.Request.Method == "PUT" && path == "/routes")
        {
            var routes = await JsonSerializer.DeserializeAsync(context.Request.Body, ProxyJson.Default.ProxyRoutes, context.RequestAborted);
            await stored.ReplaceAsync(routes!, keep: () => !departure.HasBegun, context.RequestAborted);
        }
        else if (context.Request.Method == "GET" && path == ProxyControlPaths.Who)
        {
            await context.Response.WriteAsJsonAsync(await identity.SayAsync(), ProxyJson.Default.ProxyWho);
        }
        else if (context.Request.Method == "GET" && IsOf(path, ProxyControlPaths.InFlight, out var port))
        {
            await context.Response.WriteAsync(table.InFlight(port).ToString(CultureInfo.InvariantCulture));
        }
        else if (context.Request.Method == "GET" && IsOf(path, ProxyControlPaths.Requests, out var asked))
        {
            await context.Response.WriteAsync(table.Requests(asked).ToString(CultureInfo.InvariantCulture));
        }
        else if (context.Request.Method == "POST" && path == "/end")
        {
            // What is under way is carried to its end.
            lifetime.StopApplication();
        }
        else
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
        }
    }

    private static bool IsOf(string path, string question, out int port)
    {
        port = 0;
        return path.StartsWith(question, StringComparison.Ordinal)
            && int.TryParse(path.AsSpan(question.Length), CultureInfo.InvariantCulture, out port);
    }
}

/// <summary>What this process is. Its build is looked at beside the start, which does not wait for it.</summary>
internal sealed class ProxyIdentity(AgentConfig config, ListenSockets sockets)
{
    private readonly Task<string> _build = Task.Run(ProxyBuild.OfThis);

    public async Task<ProxyWho> SayAsync() => new(await _build, config.ProxyFingerprint, [.. sockets.Addresses.Select(a => a.ToString())]);
}
