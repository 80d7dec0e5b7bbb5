using System.Collections.Concurrent;
using Mcp.Model.Errors;
using Mcp.Model.Images;
using Mcp.Model.Names;
using Mcp.Runtimes.Images;

namespace Mcp.TestKit.Fakes;

/// <summary>Images in memory. Passes the ImageStockContract.</summary>
public sealed class FakeStock : IImageStock
{
    private readonly ConcurrentDictionary<string, HeldImage> _images = new();

    public ImageKind Kind => ImageKind.Podman;

    /// <summary>Thrown by whatever asks; null: it answers.</summary>
    public McpException? Mute { get; set; }

    /// <summary>Called before an image is removed; throws to make it fail, never returns to make the caller as dead as kill -9
    /// does.</summary>
    public Func<string, Task> Hook { get; set; } = _ => Task.CompletedTask;

    /// <summary>Told of each image that is gone.</summary>
    public Action<string> Removed { get; set; } = _ => { };

    /// <summary>Where the images lie, if anybody says.</summary>
    public string? Directory { get; set; }

    /// <param name="names">Taken from whichever image had them.</param>
    public void Add(string id, long bytes, params string[] names)
    {
        foreach (var (other, held) in _images)
            _images[other] = held with { Names = [.. held.Names.Except(names)] };
        var there = _images.GetValueOrDefault(id) ?? new HeldImage(Kind, id);
        _images[id] = there with { Bytes = bytes, Names = [.. there.Names.Union(names)] };
    }

    public void Use(string id, params string[] users) => _images[id] = _images[id] with { Users = users };

    /// <summary>Thrown by whatever wants a list, as podman does where one image is damaged; null: there is one.</summary>
    public McpException? NoList { get; set; }

    public Task<IReadOnlyList<HeldImage>> ListAsync(CancellationToken ct) => (Mute ?? NoList) is { } why
        ? Task.FromException<IReadOnlyList<HeldImage>>(why)
        : Task.FromResult<IReadOnlyList<HeldImage>>([.. _images.Values.OrderBy(i => i.Id, StringComparer.Ordinal)]);

    public async Task<IReadOnlyList<string>> IdsAsync(CancellationToken ct) => [.. (await ListAsync(ct)).Select(i => i.Id)];

    public Task<string> MeaningAsync(ImageReference reference, CancellationToken ct) => Mute is { } why
        ? Task.FromException<string>(why)
        : Task.FromResult(_images.Values.FirstOrDefault(i => i.Names.Contains(reference.Text))?.Id ?? "");

    public Task NameAsync(HeldImage image, IReadOnlyCollection<string> names, CancellationToken ct)
    {
        if (!_images.TryGetValue(image.Id, out var there))
            return Task.CompletedTask;
        var kept = there.OwnNames.Except(image.OwnNames.Except(names)).Union(names).ToList();
        foreach (var (other, held) in _images)
            _images[other] = held with { OwnNames = [.. held.OwnNames.Except(names)] };
        _images[image.Id] = _images[image.Id] with { OwnNames = kept };
        return Task.CompletedTask;
    }

    public async Task<bool> RemoveAsync(HeldImage image, IReadOnlyCollection<string> references, CancellationToken ct)
    {
        await Hook(image.Id);
        if (!_images.TryGetValue(image.Id, out var there))
            return true;
        if (there.Users.Count > 0 || there.Names.Except(references).Any() || !_images.TryRemove(image.Id, out _))
            return false;
        Removed(image.Id);
        return true;
    }

    public Task SweepAsync(CancellationToken ct) => Task.CompletedTask;

    public Task<string?> DirectoryAsync(CancellationToken ct) => Task.FromResult(Directory);
}
