using Mcp.Agent.Images;
using Mcp.Agent.Ports;
using Mcp.Agent.Registry;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Runtimes;

namespace Mcp.Agent.Deploy;

/// <summary>Starts a new instance, with other host ports where somebody took one between allocation and start.</summary>
public sealed class Starter(RuntimeSet runtimes, PortAllocator ports, ImagePulls images)
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
                await RunAsync(instance, component, rolling.Revision, ct);
                return;
            }
            catch (McpException e) when (e.Code == ErrorCode.PortInUse && component.Ports.Count == 0 && tries < PortTries)
            {
                ports.Release(instance);
                ports.Allocate(instance, component);
            }
        }
    }

    /// <summary>Makes the current generation of a component anew, of the image that it had.</summary>
    /// <exception cref="McpException">image.pull, instance.start, port.in_use, volume.held</exception>
    public async Task AgainAsync(StoredComponent stored, CancellationToken ct)
    {
        var (instance, component, runtime) = (stored.Instance, stored.Definition, runtimes.For(stored.Definition));
        var kept = images.Of(instance, component.Image);
        if (kept.Length == 0)
            kept = (await runtime.InspectAsync(instance, ct))?.MadeOf ?? "";
        await images.PullAsync(runtime, instance, component, new ImageWish(Kept: kept), null, ct);
        // Fresh ports: rules that a vanished container left behind would lead the old ones nowhere.
        ports.Release(instance);
        ports.Allocate(instance, component);
        await RunAsync(instance, component, stored.SpecHash, ct);
    }

    // Somebody may have removed the image since it was pulled: once more, then.
    private async Task RunAsync(InstanceName instance, ComponentDefinition component, string revision, CancellationToken ct)
    {
        var runtime = runtimes.For(component);
        for (var again = false; ; again = true)
        {
            try
            {
                var spec = ports.Spec(instance, component, revision);
                await runtime.RunAsync(spec with { KeptImage = images.Of(instance, component.Image) }, ct);
                return;
            }
            catch (McpException e) when (e.Code == ErrorCode.ImageGone && !again)
            {
                await images.PullAsync(runtime, instance, component, new ImageWish(), null, ct);
            }
        }
    }
}
