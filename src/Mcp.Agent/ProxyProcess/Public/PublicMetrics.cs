using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Mcp.Agent.ProxyProcess.Public;

/// <summary>Requests of the public by hostname, named as OpenTelemetry's conventions for HTTP servers have it. Without anybody who collects
/// them they cost nothing.</summary>
internal sealed class PublicMetrics : IDisposable
{
    public const string MeterName = "Mcp.Edge";
    private readonly Meter _meter = new(MeterName);
    private readonly Histogram<double> _duration;
    private readonly UpDownCounter<long> _active;

    public PublicMetrics()
    {
        _duration = _meter.CreateHistogram<double>(
            "http.server.request.duration", "s", "Duration of requests, from their headers to the end of the answer");
        _active = _meter.CreateUpDownCounter<long>("http.server.active_requests", "{request}", "Requests that are under way");
    }

    public void Begin(PublicHost? host)
    {
        if (_active.Enabled)
            _active.Add(1, new KeyValuePair<string, object?>("server.address", NameOf(host)));
    }

    public void End(PublicHost? host, HttpContext context, TimeSpan took)
    {
        if (_active.Enabled)
            _active.Add(-1, new KeyValuePair<string, object?>("server.address", NameOf(host)));
        if (!_duration.Enabled)
            return;
        var tags = new TagList
        {
            { "server.address", NameOf(host) },
            { "mcp.service", host?.Service ?? "" },
            { "http.request.method", MethodOf(context.Request.Method) },
            { "http.response.status_code", context.Response.StatusCode },
        };
        _duration.Record(took.TotalSeconds, tags);
    }

    public void Dispose() => _meter.Dispose();

    // Names that clients make up must not become series.
    private static string NameOf(PublicHost? host) => host?.Name ?? "_OTHER";

    private static string MethodOf(string method) => method switch
    {
        "GET" or "HEAD" or "POST" or "PUT" or "DELETE" or "PATCH" or "OPTIONS" or "CONNECT" or "TRACE" => method,
        _ => "_OTHER",
    };
}
