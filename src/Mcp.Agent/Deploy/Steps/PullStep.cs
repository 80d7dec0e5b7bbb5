using Mcp.Agent.Registry;
using Mcp.Daemon.Operations;
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
            var before = rolling is { Pulls: false, Old: { } old } ? kept.Of(old, image) : "";
            var wish = new ImageWish(rolling.Pulls, before);
            kept.Keep(rolling.New, image, await runtimes.For(rolling.Component).PullAsync(image, wish, progress, ct));
        }

        return state;
    }

    public Task UndoAsync(Deployment state, CancellationToken ct) => Task.CompletedTask;
}
