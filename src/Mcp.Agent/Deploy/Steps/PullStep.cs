using Mcp.Agent.Registry;
using Mcp.Daemon.Operations;
using Mcp.Model.Names;
using Mcp.Runtimes;

namespace Mcp.Agent.Deploy.Steps;

/// <summary>Makes the image of every component that rolls present, and writes down what its name means. What is not to be pulled is what
/// the instance before was made of. Undo leaves them: an image harms nobody and the next try wants it.</summary>
public sealed class PullStep(RuntimeSet runtimes, KeptImagesTable kept) : IStep<Deployment>
{
    public string Name => "pull";

    public async Task<Deployment> RunAsync(Deployment state, IProgress<string> progress, CancellationToken ct)
    {
        foreach (var rolling in state.Rolling())
        {
            var image = rolling.Component.Image;
            var before = rolling is { Pulls: false, Old: { } old } ? await BeforeAsync(state, old, image, ct) : "";
            var wish = new ImageWish(rolling.Pulls, before);
            kept.Keep(rolling.New, image, await runtimes.For(rolling.Component).PullAsync(image, wish, progress, ct));
        }

        return state;
    }

    // One that an older version has deployed knows itself what it was made of.
    private async Task<string> BeforeAsync(Deployment state, InstanceName old, ImageReference image, CancellationToken ct)
    {
        if (kept.Of(old, image) is { Length: > 0 } known)
            return known;
        var component = state.PreviousService?.Components.FirstOrDefault(c => c.Name == old.Component);
        return component?.Image == image && await runtimes.For(component).InspectAsync(old, ct) is { } info ? info.MadeOf : "";
    }

    public Task UndoAsync(Deployment state, CancellationToken ct) => Task.CompletedTask;
}
