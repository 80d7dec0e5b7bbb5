using System.Net;
using System.Net.Sockets;
using Mcp.Machine;
using Mcp.Model.Definition;
using Mcp.Model.Names;
using Mcp.Runtimes;

namespace Mcp.Agent.Probes;

/// <summary>What a probe asked and what came back.</summary>
/// <param name="Ended">There is nothing to ask.</param>
public sealed record HealthVerdict(bool Healthy, string Probed, string Answered, bool Ended = false)
{
    /// <summary>Of the check: http, grpc, tcp or exec.</summary>
    public string Kind { get; init; } = "state";

    /// <summary>The answer without what a program printed: secrets may be in that.</summary>
    public string Brief { get; init; } = Answered;

    /// <summary>The first line is for everybody, the others for those who may see the service's file.</summary>
    public string Told => $"{Kind}: {Brief}\n{Probed}: {Answered}";
}

/// <summary>Asks one health check once.</summary>
public sealed class HealthProbe : IDisposable
{
    private const int LongestGrpc = 64 * 1024;
    private readonly HttpClient _http = new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        UseProxy = false,
        PooledConnectionLifetime = TimeSpan.Zero,
    })
    {
        Timeout = Timeout.InfiniteTimeSpan,
    };

    /// <remarks>A runtime that takes connections before the instance does is asked first: for tcp it is the only truth, and http and grpc
    /// need not wait for an answer that cannot come.</remarks>
    /// <param name="hostPort">The port on 127.0.0.1 that leads to the checked port.</param>
    public async Task<HealthVerdict> ProbeAsync(
        HealthCheck check,
        int hostPort,
        InstanceName instance,
        IRuntime runtime,
        CancellationToken ct) => await AskAsync(check, hostPort, instance, runtime, ct) with { Kind = Kind(check) };

    public void Dispose() => _http.Dispose();

    private async Task<HealthVerdict> AskAsync(
        HealthCheck check,
        int hostPort,
        InstanceName instance,
        IRuntime runtime,
        CancellationToken ct)
    {
        using var limit = new Within(check.Timeout, ct);
        var probed = Describe(check, hostPort);
        try
        {
            if (check is { Exec.Count: 0, Port: { } port } && await runtime.ListensAsync(instance, port, limit.Token) is false)
                return new HealthVerdict(false, probed, "nothing of it listens there");
            return check switch
            {
                { Http: { } path } => await HttpAsync(new Uri($"http://127.0.0.1:{hostPort}{path}"), check.Host, probed, limit.Token),
                { Grpc: true } => await GrpcAsync(
                    new Uri($"http://127.0.0.1:{hostPort}/grpc.health.v1.Health/Check"),
                    check.Host,
                    probed,
                    limit.Token),
                { Exec.Count: > 0 } => await ExecAsync(check, instance, runtime, limit.Token),
                _ => await TcpAsync(hostPort, probed, limit.Token),
            };
        }
        catch (Exception e) when (!ct.IsCancellationRequested)
        {
            if (e is OperationCanceledException)
                return new HealthVerdict(false, probed, $"nothing within {Durations.Format(check.Timeout)}");
            var verdict = new HealthVerdict(false, probed, (e.InnerException ?? e).Message);
            return check.Exec.Count > 0 ? verdict with { Brief = "it could not be asked" } : verdict;
        }
    }

    private async Task<HealthVerdict> HttpAsync(Uri uri, Hostname? host, string probed, CancellationToken ct)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, uri);
        request.Headers.Host = host?.Text;
        using var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, ct);
        return new HealthVerdict(
            (int)response.StatusCode is >= 200 and < 400, probed, $"HTTP {(int)response.StatusCode} {response.ReasonPhrase}");
    }

    // grpc.health.v1: an empty HealthCheckRequest, answered by field 1 (status) = 1 (SERVING).
    private async Task<HealthVerdict> GrpcAsync(Uri uri, Hostname? host, string probed, CancellationToken ct)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, uri)
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent(new byte[5]),
        };
        request.Content.Headers.ContentType = new("application/grpc");
        request.Headers.Host = host?.Text;
        request.Headers.TE.Add(new("trailers"));
        using var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, ct);
        // Of a longer one the status, which comes last, is missing.
        var body = await BoundedBody.ReadAsync(response.Content, LongestGrpc, ct);
        var status = response.TrailingHeaders.Concat(response.Headers).FirstOrDefault(h => h.Key == "grpc-status").Value?.FirstOrDefault();
        var serving = status == "0" && body is [_, _, _, _, _, 8, 1, ..];
        var told = Label.Clip(status ?? "missing");
        return new HealthVerdict(
            serving, probed, serving ? "SERVING" : $"HTTP {(int)response.StatusCode}, grpc-status {told}, not SERVING");
    }

    private static async Task<HealthVerdict> TcpAsync(int port, string probed, CancellationToken ct)
    {
        using var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", port, ct);
        return new HealthVerdict(true, probed, "connected");
    }

    private static async Task<HealthVerdict> ExecAsync(HealthCheck check, InstanceName instance, IRuntime runtime, CancellationToken ct)
    {
        var (exitCode, output) = await runtime.ExecAsync(instance, check.Exec, check.Timeout, ct);
        return new HealthVerdict(exitCode == 0, $"exec {string.Join(' ', check.Exec)}", $"exit code {exitCode} {Label.Clip(output)}")
        {
            Brief = $"exit code {exitCode}",
        };
    }

    private static string Kind(HealthCheck check) => check switch
    {
        { Http: not null } => "http",
        { Grpc: true } => "grpc",
        { Exec.Count: > 0 } => "exec",
        _ => "tcp",
    };

    private static string Describe(HealthCheck check, int hostPort) => check switch
    {
        { Grpc: true } => $"grpc.health.v1 on port {check.Port} (127.0.0.1:{hostPort})",
        { Http: { } path } => $"GET {path} on port {check.Port} (127.0.0.1:{hostPort}){(check.Host is { } host ? $" of {host}" : "")}",
        { Exec.Count: > 0 } => "exec",
        _ => $"connect to port {check.Port} (127.0.0.1:{hostPort})",
    };
}
