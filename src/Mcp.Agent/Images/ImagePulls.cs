using System.Collections.Concurrent;
using Mcp.Agent.Registry;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Images;
using Mcp.Model.Names;
using Mcp.Runtimes;
using Mcp.Runtimes.Images;

namespace Mcp.Agent.Images;

/// <summary>Has the images of instances there, and writes down what their names mean and which ones came that way. No image is removed
/// while a pull of it begins.</summary>
public sealed class ImagePulls(AgentRegistry registry, IReadOnlyDictionary<RuntimeKind, IImageStock> stocks) : IDisposable
{
    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly ConcurrentDictionary<(ImageKind Kind, string Reference), int> _active = new();

    /// <summary>Empty: not known.</summary>
    public string Of(InstanceName instance, ImageReference reference) => registry.KeptImages.Of(instance, reference);

    /// <summary>See <see cref="IRuntime.PullAsync"/>; the instance keeps what is there then.</summary>
    /// <param name="runtime">The component's.</param>
    /// <exception cref="McpException">As of the runtime's pull.</exception>
    public async Task<string> PullAsync(
        IRuntime runtime,
        InstanceName instance,
        ComponentDefinition component,
        ImageWish wish,
        IProgress<string>? progress,
        CancellationToken ct)
    {
        if (!stocks.TryGetValue(component.Runtime, out var stock))
        {
            var made = await runtime.PullAsync(component.Image, wish, progress, ct);
            registry.KeptImages.Keep(instance, component.Image, made);
            return made;
        }

        var key = (stock.Kind, component.Image.Text);
        _active.AddOrUpdate(key, 1, (_, count) => count + 1);
        try
        {
            await BeginAsync(stock, component.Image, wish, ct);
            // What fails here may have brought something all the same: Settle looks.
            var image = await runtime.PullAsync(component.Image, wish, progress, ct);
            registry.KeptImages.Keep(instance, component.Image, image);
            registry.Images.End(stock.Kind, component.Image, image);
            await NameAsync(stock, instance, image, ct);
            return image;
        }
        finally
        {
            _active.AddOrUpdate(key, 0, (_, count) => count - 1);
            _active.TryRemove(new(key, 0));
        }
    }

    /// <summary>Ends pulls that a kill or a failure has interrupted.</summary>
    public async Task SettleAsync(IImageStock stock, CancellationToken ct)
    {
        foreach (var pull in registry.Images.Pulls().Where(p => p.Kind == stock.Kind && !_active.ContainsKey((p.Kind, p.Reference))))
        {
            if (!ImageReference.TryParse(pull.Reference, out var reference))
                continue;
            var means = await stock.MeaningAsync(reference, ct);
            await AloneAsync(() =>
            {
                if (!_active.ContainsKey((pull.Kind, pull.Reference)))
                    registry.Images.End(pull.Kind, reference, means.Length > 0 ? means : null);
                return Task.FromResult(true);
            }, ct);
        }
    }

    /// <summary>No pull begins meanwhile.</summary>
    public async Task<bool> AloneAsync(Func<Task<bool>> act, CancellationToken ct)
    {
        await _turn.WaitAsync(ct);
        try
        {
            return await act();
        }
        finally
        {
            _turn.Release();
        }
    }

    public void Dispose() => _turn.Dispose();

    private Task<bool> BeginAsync(IImageStock stock, ImageReference reference, ImageWish wish, CancellationToken ct) => AloneAsync(
        async () =>
        {
            var means = await stock.MeaningAsync(reference, ct);
            // Where it is here already, nothing comes.
            IReadOnlyList<string> there = !wish.Ask && means.Length > 0 ? [means, wish.Kept] : await stock.IdsAsync(ct);
            registry.Images.Begin(new BegunPull(stock.Kind, reference.Text, means, there, wish.Kept));
            return true;
        },
        ct);

    // It is only to keep others from taking it: the next round of NodeImages does it where this fails.
    private static async Task NameAsync(IImageStock stock, InstanceName instance, string image, CancellationToken ct)
    {
        try
        {
            await stock.NameAsync(new HeldImage(stock.Kind, image), [ImageNeeds.NameOf(instance)], ct);
        }
        catch (McpException e) when (e.Code == ErrorCode.PodmanFailed)
        {
        }
    }
}
