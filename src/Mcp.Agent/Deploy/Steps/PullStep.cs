using Mcp.Daemon.Operations;

namespace Mcp.Agent.Deploy.Steps;

/// <summary>Makes the image of every component that rolls present. Undo leaves them: an image harms nobody and the next try wants
/// it.</summary>
public sealed class PullStep(RuntimeSet runtimes) : IStep<Deployment>
{
    public string Name => "pull";

    public async Task<Deployment> RunAsync(Deployment state, IProgress<string> progress, CancellationToken ct)
    {
        foreach (var rolling in state.Rolling())
            await runtimes.For(rolling.Component).PullAsync(rolling.Component.Image, progress, ct);
        return state;
    }

    public Task UndoAsync(Deployment state, CancellationToken ct) => Task.CompletedTask;
}
