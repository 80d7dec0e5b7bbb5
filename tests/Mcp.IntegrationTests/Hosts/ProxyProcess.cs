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
    private readonly List<Process> _started = [];
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

    /// <summary>The process that takes connections.</summary>
    public Process Process => _proxy!;

    public int Leader => _proxy!.Id;

    /// <summary>Starts another one beside it, which takes its place.</summary>
    /// <returns>The one of before.</returns>
    public async Task<Process> SucceedAsync()
    {
        var before = _proxy!;
        await StartAsync();
        return before;
    }

    /// <summary>Starts one after the other until one leads, as an agent does.</summary>
    public async Task TakeOverAsync()
    {
        await NodeFixture.UntilAsync(
            async () =>
            {
                _proxy = Begin();
                while (!_proxy.HasExited && LinkedTo() != $"p.{_proxy.Id}")
                    await Task.Delay(10);
                return !_proxy.HasExited;
            },
            "a proxy leads");
    }

    /// <summary>Starts one; whether it becomes the proxy is not waited for. Ended with this.</summary>
    public Process Begin()
    {
        var begun = Command.Start(Path.Combine(Command.Bin, "mcp-agent"), ["proxy", "--config", Path.Combine(State, "agent.toml")]);
        NodeFixture.Swallow(begun);
        _started.Add(begun);
        return begun;
    }

    public async Task StartAsync()
    {
        _proxy = Begin();
        await NodeFixture.UntilAsync(
            async () => _proxy.HasExited
                ? throw new InvalidOperationException("the proxy has ended")
                : LinkedTo() == $"p.{_proxy.Id}" && await InFlightAsync(1) == "0",
            "the proxy answers");
    }

    public async Task KillAsync()
    {
        _proxy!.Kill();
        await _proxy.WaitForExitAsync();
    }

    /// <param name="routes">As the agent sends them.</param>
    /// <param name="process">Null: the one that takes connections.</param>
    public async Task PushAsync(object routes, int? process = null)
    {
        using var control = Control(process is null ? "proxy.sock" : $"p.{process}");
        using var response = await control.PutAsJsonAsync(
            new Uri("routes", UriKind.Relative),
            routes,
            new System.Text.Json.JsonSerializerOptions());
        response.EnsureSuccessStatusCode();
    }

    /// <param name="process">Null: the one that takes connections.</param>
    public async Task<string> InFlightAsync(int port, string question = "in-flight", int? process = null)
    {
        using var control = Control(process is null ? "proxy.sock" : $"p.{process}");
        return await control.GetStringAsync(new Uri($"{question}/{port}", UriKind.Relative));
    }

    public string? LinkedTo() => new FileInfo(Path.Combine(State, "proxy.sock")).LinkTarget;

    public async ValueTask DisposeAsync()
    {
        foreach (var started in _started)
        {
            started.Kill();
            await started.WaitForExitAsync();
            started.Dispose();
        }

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

    private HttpClient Control(string socketFile = "proxy.sock") => new(new SocketsHttpHandler
    {
        ConnectCallback = async (_, ct) =>
        {
            var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(Path.Combine(State, socketFile)), ct);
            return new NetworkStream(socket, ownsSocket: true);
        },
    })
    { BaseAddress = new Uri("http://proxy/") };
}
