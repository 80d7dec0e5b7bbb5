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
        return builder;
    }
}
