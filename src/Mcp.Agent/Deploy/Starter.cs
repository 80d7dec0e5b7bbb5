using Mcp.Agent.Ports;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Instances;
using Mcp.Model.Names;

namespace Mcp.Agent.Deploy;

/// <summary>Starts a new instance, with other host ports where somebody took one between allocation and start.</summary>
public sealed class Starter(RuntimeSet runtimes, PortAllocator ports)
{
    private const int PortTries = 5;

    /// <summary>Safe to repeat.</summary>
    /// <exception cref="McpException">instance.start, port.in_use, volume.held</exception>
    public async Task StartAsync(ComponentDefinition component, InstanceName instance, CancellationToken ct)
    {
        for (var tries = 1; ; tries++)
        {
            try
            {
                await runtimes.For(component).RunAsync(ports.Spec(instance, component, SpecHash.Of(component)), ct);
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
