using System.Collections.Concurrent;
using Mcp.Agent.Registry;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Images;
using Mcp.Model.Names;
using Mcp.Runtimes;
using Mcp.Runtimes.Images;
using Microsoft.Data.Sqlite;

namespace Mcp.Agent.Images;

/// <summary>Has the images of instances there, and writes down what their names mean and which ones came that way. No image is removed
/// while a pull of it begins.</summary>
public sealed class ImagePulls(AgentRegistry registry, IReadOnlyDictionary<RuntimeKind, IImageStock> stocks) : IDisposable
{
    // Of each store: one that hangs holds up no other.
    private readonly ConcurrentDictionary<ImageKind, SemaphoreSlim> _turns = new();
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
        if (StockOf(component) is not { } stock)
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
        catch (McpException)
        {
            await FailedAsync(stock, component.Image, ct);
            throw;
        }
        finally
        {
            _active.AddOrUpdate(key, 0, (_, count) => count - 1);
            _active.TryRemove(new(key, 0));
        }
    }

    /// <summary>The same where the caller has just seen the image that a pull would take: nothing is asked again. Where it is gone
    /// meanwhile, whoever makes the instance pulls it.</summary>
    /// <param name="runtime">The component's.</param>
    /// <param name="here">See <see cref="ImageLook.Here"/>.</param>
    public async Task KeepAsync(IRuntime runtime, InstanceName instance, ComponentDefinition component, string here, CancellationToken ct)
    {
        if (StockOf(component) is not { } stock)
        {
            registry.KeptImages.Keep(instance, component.Image, here);
            return;
        }

        // What a VM is made of costs nothing to look for, and whether the node can run one is told with it.
        if (stock.Kind != ImageKind.Podman)
        {
            await PullAsync(runtime, instance, component, new ImageWish(Kept: here), null, ct);
            return;
        }

        await AloneAsync(
            stock.Kind,
            () =>
            {
                registry.KeptImages.Keep(instance, component.Image, here);
                return Task.FromResult(true);
            },
            ct);
        await NameAsync(stock, instance, here, ct);
    }

    /// <summary>Ends pulls that a kill or a failure has interrupted.</summary>
    public async Task SettleAsync(IImageStock stock, CancellationToken ct)
    {
        foreach (var pull in registry.Images.Pulls().Where(p => p.Kind == stock.Kind && !_active.ContainsKey((p.Kind, p.Reference))))
        {
            if (!ImageReference.TryParse(pull.Reference, out var reference))
                continue;
            var means = await stock.MeaningAsync(reference, ct);
            await AloneAsync(stock.Kind, () =>
            {
                if (!_active.ContainsKey((pull.Kind, pull.Reference)))
                    registry.Images.End(pull.Kind, reference, means.Length > 0 ? means : null);
                return Task.FromResult(true);
            }, ct);
        }
    }

    /// <summary>One is under way. It may have counted layers of another image as there.</summary>
    public bool ArePulling(ImageKind kind) => _active.Keys.Any(k => k.Kind == kind);

    /// <summary>No pull into this store begins meanwhile.</summary>
    public async Task<bool> AloneAsync(ImageKind kind, Func<Task<bool>> act, CancellationToken ct)
    {
        var turn = _turns.GetOrAdd(kind, _ => new SemaphoreSlim(1, 1));
        await turn.WaitAsync(ct);
        try
        {
            return await act();
        }
        finally
        {
            turn.Release();
        }
    }

    public void Dispose()
    {
        foreach (var turn in _turns.Values)
            turn.Dispose();
    }

    // No pull brings what only podman has: somebody builds it.
    private IImageStock? StockOf(ComponentDefinition component) =>
        stocks.TryGetValue(component.Runtime, out var stock) && !(stock.Kind == ImageKind.Podman && component.Image.IsLocal) ? stock : null;

    private Task<bool> BeginAsync(IImageStock stock, ImageReference reference, ImageWish wish, CancellationToken ct) => AloneAsync(
        stock.Kind,
        async () =>
        {
            var means = await stock.MeaningAsync(reference, ct);
            // Where it is here already, nothing comes.
            var there = !wish.Ask && means.Length > 0 ? [means, wish.Kept] : await ThereAsync(stock, ct);
            registry.Images.Begin(new BegunPull(stock.Kind, reference.Text, means, there, wish.Kept));
            return true;
        },
        ct);

    // podman gives no list at all where one image is damaged, and deploys go on all the same.
    private static async Task<IReadOnlyList<string>> ThereAsync(IImageStock stock, CancellationToken ct)
    {
        try
        {
            return await stock.IdsAsync(ct);
        }
        catch (McpException e) when (e.Code == ErrorCode.PodmanFailed)
        {
            return [BegunPull.Anything];
        }
    }

    // Nothing came, so what somebody puts there later is not mcp's.
    private async Task FailedAsync(IImageStock stock, ImageReference reference, CancellationToken ct)
    {
        try
        {
            var means = await stock.MeaningAsync(reference, ct);
            var began = registry.Images.Pulls().Find(p => p.Kind == stock.Kind && p.Reference == reference.Text);
            if (began?.Meant == means)
                registry.Images.End(stock.Kind, reference, null);
        }
        catch (Exception e) when (e is McpException or SqliteException)
        {
            // The next round looks.
        }
    }

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
