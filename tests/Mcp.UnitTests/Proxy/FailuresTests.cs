using Mcp.Agent.ProxyProcess;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Time.Testing;
using Yarp.ReverseProxy.Forwarder;

namespace Mcp.UnitTests.Proxy;

/// <summary>A line for proxy.log, however many requests fail.</summary>
public sealed class FailuresTests : IDisposable
{
    private readonly StringWriter _log = new();
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 11, 28, 12, 0, 0, TimeSpan.Zero));

    public void Dispose() => _log.Dispose();

    [Fact]
    public void Each_host_and_cause_is_told_once_a_minute_with_how_many_there_were()
    {
        var failures = new Failures(_log, _time);
        for (var i = 0; i < 1000; i++)
        {
            failures.Tell(Failed("a.example.com", ForwarderError.Request, "Connection refused"));
            failures.Tell(Failed("a.example.com", ForwarderError.RequestCanceled, "the client has gone"));
        }

        failures.Tell(Failed("b.example.com", ForwarderError.Request, "Connection refused"));
        _time.Advance(TimeSpan.FromSeconds(61));
        failures.Tell(Failed("A.example.com", ForwarderError.Request, "Connection refused"));
        failures.Tell(new DefaultHttpContext());
        Assert.Equal(
            """
            2026-11-28 12:00:00Z GET a.example.com/x: Request: Connection refused
            2026-11-28 12:00:00Z GET b.example.com/x: Request: Connection refused
            2026-11-28 12:01:01Z GET a.example.com/x: Request: Connection refused (999 more since then)

            """,
            _log.ToString());
    }

    private static DefaultHttpContext Failed(string host, ForwarderError error, string why)
    {
        var context = new DefaultHttpContext { Request = { Method = "GET", Host = new HostString(host) } };
        context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget = "/x?secret=1";
        context.Features.Set<IForwarderErrorFeature>(new Failure(error, new HttpRequestException("no", new IOException(why))));
        return context;
    }

    private sealed record Failure(ForwarderError Error, Exception? Exception) : IForwarderErrorFeature;
}
