using System.Net;
using System.Net.Sockets;
using Mcp.Model.Errors;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;

namespace Mcp.Daemon.Lifecycle;

/// <summary>A web host with nothing that we did not ask for: no appsettings.json or environment that could change it, no watching of the
/// directory it was started in. Warnings go to standard output.</summary>
public static class Bare
{
    /// <summary>The same log, for what is no web host.</summary>
    public static ILoggerFactory Logs() => LoggerFactory.Create(logging => logging.AddSimpleConsole().SetMinimumLevel(LogLevel.Warning));

    public static WebApplicationBuilder Builder()
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore();
        builder.Logging.AddSimpleConsole();
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        // What it says of a start that fails is said by whoever started it.
        builder.Logging.AddFilter("Microsoft.Extensions.Hosting", LogLevel.None);
        return builder;
    }

    /// <exception cref="McpException">listen.failed: the address cannot be had.</exception>
    public static async Task ListenAsync(this WebApplication app, IPEndPoint listen, CancellationToken ct)
    {
        try
        {
            await app.StartAsync(ct);
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            throw new McpException(
                ErrorCode.ListenFailed,
                $"cannot listen on {listen}: {(e.InnerException ?? e).Message}",
                "is 'listen' right in the configuration, and an address of this machine? ss -ltnp shows who has the port",
                e);
        }
    }
}
