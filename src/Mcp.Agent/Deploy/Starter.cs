using Mcp.Agent.Ports;
using Mcp.Agent.Registry;
using Mcp.Model.Errors;

namespace Mcp.Agent.Deploy;

/// <summary>Starts a new instance, with other host ports where somebody took one between allocation and start.</summary>
public sealed class Starter(RuntimeSet runtimes, PortAllocator ports, KeptImagesTable images)
{
    private const int PortTries = 5;

    /// <summary>Safe to repeat.</summary>
    /// <exception cref="McpException">instance.start, port.in_use, volume.held</exception>
    public async Task StartAsync(Rolling rolling, CancellationToken ct)
    {
        var (component, instance) = (rolling.Component, rolling.New);
        for (var tries = 1; ; tries++)
        {
            try
            {
                var spec = ports.Spec(instance, component, rolling.Revision);
                await runtimes.For(component).RunAsync(spec with { KeptImage = images.Of(instance, component.Image) }, ct);
                return;
            }
            catch (McpException e) when (e.Code == ErrorCode.PortInUse && component.Ports.Count == 0 && tries < PortTries)
            {
                ports.Release(instance);
                ports.Allocate(instance, component);
            }
        }
    }
}
