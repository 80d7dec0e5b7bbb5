using System.Threading.Channels;
using Mcp.Agent.Disks;
using Mcp.Agent.Registry;
using Mcp.Daemon.Events;
using Mcp.Machine;
using Mcp.Model.Errors;
using Mcp.Model.Events;
using Mcp.Model.Images;
using Mcp.Model.Names;
using Mcp.Runtimes.Images;
using Microsoft.Data.Sqlite;

namespace Mcp.Agent.Images;

/// <summary>The images of this node: keeps those that are needed, removes those of mcp's own that nobody has needed for long, and sooner
/// where the disk is short.</summary>
public sealed class NodeImages(
    AgentRegistry registry,
    IReadOnlyCollection<IImageStock> stocks,
    ImagePulls pulls,
    DiskGauge gauge,
    TimeProvider time) : IDisposable
{
    private const int MostTold = 10;
    private static readonly TimeSpan s_first = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan s_round = TimeSpan.FromHours(1);
    private static readonly TimeSpan s_after = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(30);
    private static readonly HashSet<EventKind> s_changes =
        [EventKind.DeployDone, EventKind.DeployUndone, EventKind.DeployFailed, EventKind.UndeployDone];
    private readonly SemaphoreSlim _rounds = new(1, 1);

    /// <exception cref="McpException">A store does not answer: only where it is the only one.</exception>
    public async Task<ImageOverview> ListAsync(CancellationToken ct)
    {
        var (fates, silent) = (new List<ImageFate>(), new List<string>());
        var needs = ImageNeeds.Of(registry).Needs;
        foreach (var stock in stocks)
        {
            try
            {
                fates.AddRange(await JudgeAsync(stock, needs, ct));
            }
            catch (Exception e) when (e is McpException or IOException or UnauthorizedAccessException)
            {
                silent.Add(e.Message);
            }
        }

        return new ImageOverview(fates, silent);
    }

    /// <summary>Removes all that nobody needs just now.</summary>
    /// <param name="dryRun">Only says what it would.</param>
    public async Task<PrunedImages> PruneAsync(bool dryRun, CancellationToken ct)
    {
        var (gone, failed) = (new List<ImageFate>(), new List<string>());
        await _rounds.WaitAsync(ct);
        try
        {
            foreach (var stock in stocks)
            {
                try
                {
                    if (!dryRun)
                        await PrepareAsync(stock, ct);
                    var loose = ImageKeeping.Loose(await JudgeAsync(stock, ImageNeeds.Of(registry).Needs, ct));
                    if (dryRun)
                        gone.AddRange(loose);
                    else
                        gone.AddRange(await RemoveAsync(stock, loose, failed, _ => Task.FromResult(true), ct));
                }
                catch (Exception e) when (e is McpException or IOException or UnauthorizedAccessException)
                {
                    failed.Add(e.Message);
                }
            }
        }
        finally
        {
            _rounds.Release();
            if (!dryRun)
                Tell(gone, "on request");
        }

        return new PrunedImages(gone, failed);
    }

    /// <summary>Until cancelled: soon after the start, every hour, and a while after deploys.</summary>
    public async Task RunAsync(CancellationToken ct)
    {
        var changes = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
        void Hear(KeptEvent happened)
        {
            if (s_changes.Contains(happened.Kind))
                changes.Writer.TryWrite(true);
        }

        registry.Events.Added += Hear;
        try
        {
            await Task.Delay(s_first, time, ct);
            while (true)
            {
                await RoundAsync(ct);
                using var next = new Within(s_round, ct, time);
                try
                {
                    await changes.Reader.ReadAsync(next.Token);
                    await Task.Delay(s_after, time, ct);
                    changes.Reader.TryRead(out _);
                }
                catch (OperationCanceledException) when (next.IsOver)
                {
                }
            }
        }
        finally
        {
            registry.Events.Added -= Hear;
        }
    }

    /// <summary>Keeps and removes, once. A store that does not answer is left for the next time.</summary>
    public async Task RoundAsync(CancellationToken ct)
    {
        using var limit = new Within(s_limit, ct);
        await _rounds.WaitAsync(limit.Token);
        var gone = new List<ImageFate>();
        var wasShort = false;
        try
        {
            foreach (var stock in stocks)
            {
                try
                {
                    await PrepareAsync(stock, limit.Token);
                    var fates = await JudgeAsync(stock, ImageNeeds.Of(registry).Needs, limit.Token);
                    var isShort = await IsShortAsync(stock, limit.Token);
                    wasShort |= isShort;
                    var now = time.GetUtcNow();
                    var due = ImageKeeping.Due(fates, _ => isShort, now);
                    // As soon as there is room again, what is left has its time.
                    gone.AddRange(await RemoveAsync(
                        stock, due, [], async f => f.Goes <= now || await IsShortAsync(stock, limit.Token), limit.Token));
                }
                catch (Exception e) when (e is McpException or IOException or UnauthorizedAccessException)
                {
                    // It is away; its runtime says so.
                }
            }

            Try(() => registry.KeptImages.Forget(ImageNeeds.Of(registry).Spare));
        }
        finally
        {
            _rounds.Release();
            Tell(gone, wasShort ? "the disk is short" : "not needed for 7 days");
        }
    }

    public void Dispose() => _rounds.Dispose();

    // Ends what was interrupted, writes down what is needed now, and names it.
    private async Task PrepareAsync(IImageStock stock, CancellationToken ct)
    {
        await TryAsync(() => pulls.SettleAsync(stock, ct));
        await TryAsync(() => stock.SweepAsync(ct));
        var began = time.GetUtcNow();
        var needs = ImageNeeds.Of(registry).Needs;
        var fates = await JudgeAsync(stock, needs, ct);
        var known = registry.Images.List().Where(b => IsOf(stock, b.Kind)).ToDictionary(b => (b.Kind, b.Id));
        Try(() =>
        {
            registry.Images.Used(fates.Where(f => f.Ours && (f.UsedBy.Count > 0 || !known.ContainsKey((f.Image.Kind, f.Image.Id))))
                .Select(f => (f.Image.Kind, f.Image.Id)));
            registry.Images.Forget(known.Keys.Except(fates.Select(f => (f.Image.Kind, f.Image.Id))), began);
        });
        foreach (var image in fates.Select(f => f.Image))
        {
            var names = needs.Where(n => n.Name.Length > 0 && n.Is(image)).Select(n => n.Name).ToHashSet();
            // A store that does not answer is not asked for each of them.
            if (!names.SetEquals(image.OwnNames) && !await TryAsync(() => stock.NameAsync(image, names, ct)))
                break;
        }
    }

    // On a disk that is full nothing can be written down, and making room comes first: the next round does it.
    private static async Task<bool> TryAsync(Func<Task> act)
    {
        try
        {
            await act();
            return true;
        }
        catch (Exception e) when (e is McpException or SqliteException or IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static void Try(Action act)
    {
        try
        {
            act();
        }
        catch (SqliteException)
        {
            // As above.
        }
    }

    private async Task<IReadOnlyList<ImageFate>> JudgeAsync(IImageStock stock, IReadOnlyList<ImageNeed> needs, CancellationToken ct)
    {
        // Before the list: what is pulled in between is not on it.
        var resolved = await ResolveAsync(stock, needs, ct);
        return ImageKeeping.Judge(await stock.ListAsync(ct), registry.Images.List(), resolved, time.GetUtcNow());
    }

    private static async Task<IReadOnlyList<ImageNeed>> ResolveAsync(
        IImageStock stock,
        IReadOnlyList<ImageNeed> needs,
        CancellationToken ct)
    {
        var resolved = new List<ImageNeed>();
        foreach (var need in needs)
        {
            var means = need.Image.Length == 0 && ImageReference.TryParse(need.Reference, out var reference)
                ? await stock.MeaningAsync(reference, ct)
                : "";
            resolved.Add(means.Length > 0 ? need with { Image = means } : need);
        }

        return resolved;
    }

    // Each is looked at once more when no pull can begin.
    private async Task<List<ImageFate>> RemoveAsync(
        IImageStock stock,
        IReadOnlyList<ImageFate> fates,
        List<string> failed,
        Func<ImageFate, Task<bool>> isDue,
        CancellationToken ct)
    {
        var gone = new List<ImageFate>();
        foreach (var fate in fates)
        {
            if (!await isDue(fate))
                continue;
            try
            {
                var isGone = await pulls.AloneAsync(
                    stock.Kind,
                    async () =>
                    {
                        var isLoose = !(stock.Kind == ImageKind.Podman && pulls.ArePulling(stock.Kind))
                            && !(await ResolveAsync(stock, ImageNeeds.Of(registry).Needs, ct)).Any(n => n.Is(fate.Image));
                        if (!isLoose || !await stock.RemoveAsync(fate.Image, fate.References, ct))
                            return false;
                        Try(() => registry.Images.Forget([(fate.Image.Kind, fate.Image.Id)], time.GetUtcNow() + s_first));
                        return true;
                    },
                    ct);
                if (isGone)
                    gone.Add(fate);
            }
            catch (Exception e) when (e is McpException or IOException or UnauthorizedAccessException)
            {
                failed.Add($"{Called(fate)}: {e.Message}");
            }
        }

        return gone;
    }

    private async Task<bool> IsShortAsync(IImageStock stock, CancellationToken ct) =>
        await stock.DirectoryAsync(ct) is { } directory && await gauge.OfAsync(directory, ct) is { Space.IsShort: true };

    private void Tell(List<ImageFate> gone, string why)
    {
        if (gone.Count == 0)
            return;
        var names = gone.Select(Called).Distinct().ToList();
        var told = string.Join(", ", names.Take(MostTold)) + (names.Count > MostTold ? $" and {names.Count - MostTold} more" : "");
        var mib = gone.Sum(g => g.Image.Bytes) / 1024 / 1024;
        var counted = gone.Count == 1 ? "1 image" : $"{gone.Count} images";
        Try(() => registry.Events.Add("", "", EventKind.ImagesRemoved, $"{counted}, up to {mib} MiB ({why}): {told}"));
    }

    private static bool IsOf(IImageStock stock, ImageKind kind) =>
        kind == stock.Kind || (kind == ImageKind.Disk && stock.Kind == ImageKind.Unpacked);

    private static string Called(ImageFate fate) =>
        fate.References.Concat(fate.Image.Names).FirstOrDefault() ?? fate.Image.Id[..Math.Min(fate.Image.Id.Length, 12)];
}
