using System.Globalization;
using System.Net;

namespace Mcp.Agent.Proxy;

/// <summary>Asks and tells the proxies. Each by its own name, so that no connection that is kept leads to one of before.</summary>
internal sealed class ControlClient : IDisposable
{
    private const string Host = "proxy";
    private const int LongestAnswer = 64 * 1024;
    private readonly ControlSockets _sockets;
    private readonly HttpClient _http;

    public ControlClient(AgentConfig config, ControlSockets sockets)
    {
        _sockets = sockets;
        _http = new HttpClient(new SocketsHttpHandler
        {
            ConnectCallback = (context, ct) => ControlSockets.ConnectAsync(
                context.DnsEndPoint.Host.Split('-') is [_, var process]
                    ? sockets.Of(int.Parse(process, CultureInfo.InvariantCulture))
                    : config.ProxySocket,
                ct),
        })
        { Timeout = TimeSpan.FromSeconds(5), MaxResponseContentBufferSize = LongestAnswer };
    }

    public async Task PutAsync(int? process, ProxyRoutes routes, CancellationToken ct)
    {
        using var response = await _http.PutAsJsonAsync(Uri(process, "/routes"), routes, ProxyJson.Default.ProxyRoutes, ct);
        response.EnsureSuccessStatusCode();
    }

    /// <summary>What the proxy is; null: one of an older version.</summary>
    public async Task<ProxyWho?> WhoAsync(CancellationToken ct)
    {
        using var response = await _http.GetAsync(Uri(_sockets.Leader, ProxyControlPaths.Who), ct);
        if (response.StatusCode == HttpStatusCode.NotFound)
            return null;
        response.EnsureSuccessStatusCode();
        return await response.Content.ReadFromJsonAsync(ProxyJson.Default.ProxyWho, ct);
    }

    /// <summary>The proxy, or one whose connections are still open, answers the question with something else than 0, or is too busy to
    /// answer. One that cannot be reached has ended, and its connections with it.</summary>
    public async Task<bool> AnyAsync(string question, int port, CancellationToken ct)
    {
        foreach (var process in (IEnumerable<int?>)[_sockets.Leader, .. _sockets.Others()])
        {
            try
            {
                var asked = Uri(process, string.Create(CultureInfo.InvariantCulture, $"{question}{port}"));
                if (await _http.GetStringAsync(asked, ct) != "0")
                    return true;
            }
            catch (HttpRequestException)
            {
                // The next one.
            }
            catch (OperationCanceledException) when (!ct.IsCancellationRequested)
            {
                return true;
            }
        }

        return false;
    }

    public async Task EndAsync(CancellationToken ct)
    {
        using var ended = await _http.PostAsync(Uri(_sockets.Leader, "/end"), null, ct);
    }

    public void Dispose() => _http.Dispose();

    private static Uri Uri(int? process, string path) =>
        new(process is null ? $"http://{Host}{path}" : string.Create(CultureInfo.InvariantCulture, $"http://{Host}-{process}{path}"));
}
