using System.Net;
using Mcp.Model.Images;
using Mcp.Model.Names;
using Mcp.Runtimes.Images;

namespace Mcp.Runtimes.Podman;

/// <summary>The images in podman's store, most of which may be somebody else's. One is removed without force, so podman has the last
/// word.</summary>
internal sealed class PodmanStock(LibpodClient client, PodmanStore store) : IImageStock
{
    /// <summary>Before the names that mcp gives. There is no such registry, and there never will be: RFC 6761.</summary>
    public const string OwnNames = "mcp.invalid/";
    private const int ListTries = 10;
    private static readonly TimeSpan s_list = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan s_removal = TimeSpan.FromMinutes(2);

    public ImageKind Kind => ImageKind.Podman;

    public Task<IReadOnlyList<HeldImage>> ListAsync(CancellationToken ct) => PodmanFaults.ToldAsync("cannot list the images", async () =>
    {
        var stored = await StoredAsync(ct);
        var users = await UsersAsync(ct);
        return (IReadOnlyList<HeldImage>)[.. stored.Select(s => new HeldImage(Kind, s.Id!)
        {
            Names = [.. (s.RepoTags ?? []).Where(t => !IsOwn(t) && !IsNone(t))],
            OwnNames = [.. (s.RepoTags ?? []).Where(IsOwn).Select(t => t[OwnNames.Length..])],
            Bytes = s.Size,
            Users = [.. users[s.Id!]],
        })];
    });

    public Task<IReadOnlyList<string>> IdsAsync(CancellationToken ct) => PodmanFaults.ToldAsync(
        "cannot list the images",
        async () => (IReadOnlyList<string>)[.. (await StoredAsync(ct)).Select(s => s.Id!)]);

    public async Task<string> MeaningAsync(ImageReference reference, CancellationToken ct) =>
        (await FindAsync(reference.Text, ct))?.Id ?? "";

    public Task NameAsync(HeldImage image, IReadOnlyCollection<string> names, CancellationToken ct) => PodmanFaults.ToldAsync(
        $"cannot name the image {Short(image)}", async () =>
    {
        foreach (var name in names.Except(image.OwnNames))
        {
            var (repository, tag) = Split(OwnNames + name);
            var path = $"/images/{image.Id}/tag?repo={Uri.EscapeDataString(repository)}&tag={Uri.EscapeDataString(tag)}";
            await client.CallAsync(HttpMethod.Post, path, s_list, ct, HttpStatusCode.NotFound);
        }

        // In this order, so that it never is without one meanwhile.
        foreach (var name in image.OwnNames.Except(names))
            await UntagAsync(image.Id, OwnNames + name, ct);
        return true;
    });

    public Task<bool> RemoveAsync(HeldImage image, IReadOnlyCollection<string> references, CancellationToken ct) => PodmanFaults.ToldAsync(
        $"cannot remove the image {Short(image)}", async () =>
    {
        if (await FindAsync(image.Id, ct) is not { } there)
            return true;
        var names = (there.RepoTags ?? []).Where(t => !IsNone(t)).ToList();
        if (names.Any(n => !IsOwn(n) && !references.Contains(n)) || (await UsersAsync(ct))[image.Id].Any())
            return false;
        // podman removes none by its id that has several names. The last one goes with it.
        var last = names.Find(n => !IsOwn(n)) ?? names.FirstOrDefault();
        foreach (var name in names.Where(n => n != last))
            await UntagAsync(image.Id, name, ct);
        try
        {
            return await DeleteAsync(image, ct);
        }
        // A name by its digest is none of the tags, and counts.
        catch (LibpodException e) when (last is not null && e.Message.Contains("more than one tag", StringComparison.Ordinal))
        {
            await UntagAsync(image.Id, last, ct);
            return await DeleteAsync(image, ct);
        }
    });

    private async Task<bool> DeleteAsync(HeldImage image, CancellationToken ct)
    {
        var said = await client.CallAsync(
            HttpMethod.Delete, $"/images/{image.Id}", s_removal, ct, HttpStatusCode.NotFound, HttpStatusCode.Conflict);
        return said != HttpStatusCode.Conflict;
    }

    /// <summary>Its pulls podman cleans up after itself.</summary>
    public Task SweepAsync(CancellationToken ct) => Task.CompletedTask;

    public Task<string?> DirectoryAsync(CancellationToken ct) => PodmanFaults.ToldAsync(
        "cannot ask where the images are",
        async () => (await store.WhereAsync(ct))?.GraphRoot);

    private async Task<IReadOnlyList<LibpodStored>> StoredAsync(CancellationToken ct)
    {
        for (var tries = 1; ; tries++)
        {
            try
            {
                var stored = await client.GetAsync("/images/json", LibpodJson.Default.LibpodStoredArray, s_list, ct)
                    ?? throw new LibpodException(0, "it gave no list of images");
                return [.. stored.Where(s => s.Id is { Length: > 0 })];
            }
            catch (LibpodException e) when (e.Message.Contains("image not known", StringComparison.Ordinal) && tries < ListTries)
            {
                // It gives no list at all where an image is removed meanwhile.
            }
        }
    }

    // Of programs beside podman, such as buildah, too.
    private async Task<ILookup<string, string>> UsersAsync(CancellationToken ct)
    {
        var containers = await client.GetAsync(
            "/containers/json?all=true&external=true", LibpodJson.Default.LibpodListedArray, s_list, ct)
            ?? throw new LibpodException(0, "it gave no list of containers");
        return containers.ToLookup(
            c => c.ImageId ?? "",
            c => PodmanNames.Of(c)?.ToString() ?? $"container {c.Names?.FirstOrDefault() ?? c.Id}");
    }

    private Task<LibpodImage?> FindAsync(string image, CancellationToken ct) => PodmanFaults.ToldAsync(
        $"cannot look for {image}",
        () => client.GetAsync($"/images/{Uri.EscapeDataString(image)}/json", LibpodJson.Default.LibpodImage, s_list, ct));

    // One that is not known any more is answered as a failure of podman's own.
    private async Task UntagAsync(string image, string name, CancellationToken ct)
    {
        var (repository, tag) = Split(name);
        var path = $"/images/{image}/untag?repo={Uri.EscapeDataString(repository)}&tag={Uri.EscapeDataString(tag)}";
        try
        {
            await client.CallAsync(HttpMethod.Post, path, s_list, ct, HttpStatusCode.NotFound);
        }
        catch (LibpodException e) when (e.Status == HttpStatusCode.InternalServerError
            && e.Message.Contains("tag not known", StringComparison.OrdinalIgnoreCase))
        {
            // Somebody else was faster.
        }
    }

    private static (string Repository, string Tag) Split(string name)
    {
        var colon = name.LastIndexOf(':');
        return colon > name.LastIndexOf('/') ? (name[..colon], name[(colon + 1)..]) : (name, "latest");
    }

    private static bool IsOwn(string name) => name.StartsWith(OwnNames, StringComparison.Ordinal);

    private static bool IsNone(string name) => name.StartsWith("<none>", StringComparison.Ordinal);

    private static string Short(HeldImage image) => image.Id[..Math.Min(image.Id.Length, 12)];
}
