using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;

namespace Mcp.IntegrationTests.Hosts;

/// <summary>The published proxy process by itself; the test is its agent.</summary>
internal sealed class ProxyProcess : IAsyncDisposable
{
    private Process? _proxy;

    public string State { get; } = Directory.CreateTempSubdirectory("mcp-proxy").FullName;

    /// <param name="sections">agent.toml after its head.</param>
    public async Task StartAsync(string sections)
    {
        await File.WriteAllTextAsync(Path.Combine(State, "agent.toml"), $"""
            name = "rift"
            listen = "127.0.0.1:1"
            state = "{State}"
            {sections}
            """);
        await StartAsync();
    }

    public async Task StartAsync()
    {
        _proxy = Command.Start(Path.Combine(Command.Bin, "mcp-agent"), ["proxy", "--config", Path.Combine(State, "agent.toml")]);
        NodeFixture.Swallow(_proxy);
        await NodeFixture.UntilAsync(
            async () => _proxy.HasExited ? throw new InvalidOperationException("the proxy has ended") : await InFlightAsync(1) == "0",
            "the proxy answers");
    }

    public async Task KillAsync()
    {
        _proxy!.Kill();
        await _proxy.WaitForExitAsync();
        _proxy.Dispose();
    }

    /// <param name="routes">As the agent sends them.</param>
    public async Task PushAsync(object routes)
    {
        using var control = Control();
        using var response = await control.PutAsJsonAsync(
            new Uri("routes", UriKind.Relative),
            routes,
            new System.Text.Json.JsonSerializerOptions());
        response.EnsureSuccessStatusCode();
    }

    public async Task<string> InFlightAsync(int port, string question = "in-flight")
    {
        using var control = Control();
        return await control.GetStringAsync(new Uri($"{question}/{port}", UriKind.Relative));
    }

    public async ValueTask DisposeAsync()
    {
        if (_proxy is not null)
            await KillAsync();
        Directory.Delete(State, recursive: true);
    }

    /// <summary>A server that a route may lead to.</summary>
    public static async Task<WebApplication> BackendAsync(HttpProtocols protocols, RequestDelegate answer)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.ConfigureKestrel(k =>
        {
            k.Limits.MaxRequestBodySize = null;
            k.Listen(IPAddress.Loopback, 0, l => l.Protocols = protocols);
        });
        builder.Logging.ClearProviders();
        var backend = builder.Build();
        backend.UseWebSockets();
        backend.Run(answer);
        await backend.StartAsync();
        return backend;
    }

    public static int Port(WebApplication backend) => new Uri(backend.Urls.First()).Port;

    private HttpClient Control() => new(new SocketsHttpHandler
    {
        ConnectCallback = async (_, ct) =>
        {
            var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(Path.Combine(State, "proxy.sock")), ct);
            return new NetworkStream(socket, ownsSocket: true);
        },
    })
    { BaseAddress = new Uri("http://proxy/") };
}
