using Mcp.Agent.Images;
using Mcp.Daemon.Operations;
using Mcp.Model.Errors;
using Mcp.Runtimes;

namespace Mcp.Agent.Deploy.Steps;

/// <summary>Makes the image of every component that rolls present, and writes down what its name means. What is not to be pulled is what
/// the instance before was made of. Undo leaves them: an image harms nobody and the next try wants it.</summary>
public sealed class PullStep(RuntimeSet runtimes, ImagePulls images, ImageMounts mounts) : IStep<Deployment>
{
    public string Name => "pull";

    public async Task<Deployment> RunAsync(Deployment state, IProgress<string> progress, CancellationToken ct)
    {
        var notes = new Notes(progress);
        var brought = new List<(Rolling Rolling, string Told)>();
        foreach (var rolling in state.Rolling())
        {
            var (component, image) = (rolling.Component, rolling.Component.Image);
            // The plan has looked.
            if (rolling.Here.Length > 0)
            {
                await images.KeepAsync(runtimes.For(component), rolling.New, component, rolling.Here, ct);
                continue;
            }

            var before = rolling is { Pulls: false, Old: { } old } ? await mounts.MeantAsync(old, image, state.PreviousService, ct) : "";
            var wish = new ImageWish(rolling.Pulls, before);
            brought.Add((rolling, await images.PullAsync(runtimes.For(component), rolling.New, component, wish, notes, ct)));
        }

        // Of all at once: the next plan knows them all then.
        var wrong = await Task.WhenAll(brought.Select(b => mounts.DiffersAsync(state.Service.Name, b.Rolling.Component, b.Told, ct)));
        if (wrong.OfType<McpException>().FirstOrDefault() is { } first)
            throw first;
        return state with { PullNotes = notes.Told };
    }

    public Task UndoAsync(Deployment state, CancellationToken ct) => Task.CompletedTask;

    /// <summary>Who asked for a newer image learns that there is none to be had.</summary>
    public string Sum(Deployment state) => string.Join("; ", state.PullNotes ?? []);

    private sealed class Notes(IProgress<string> progress) : IPullNotes
    {
        private readonly List<string> _told = [];

        public IReadOnlyList<string>? Told => _told.Count == 0 ? null : _told;

        public void Note(string what) => _told.Add(what);

        public void Report(string value) => progress.Report(value);
    }
}
