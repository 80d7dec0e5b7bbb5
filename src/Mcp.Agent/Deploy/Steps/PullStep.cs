using Mcp.Daemon.Operations;

namespace Mcp.Agent.Deploy.Steps;

/// <summary>Makes every image present. Undo leaves them: an image harms nobody and the next try wants it.</summary>
public sealed class PullStep(RuntimeSet runtimes) : IStep<Deployment>
{
    public string Name => "pull";

    public async Task<Deployment> RunAsync(Deployment state, IProgress<string> progress, CancellationToken ct)
    {
        foreach (var (component, _, _) in state.Rolling())
            await runtimes.For(component).PullAsync(component.Image, progress, ct);
        return state;
    }

    public Task UndoAsync(Deployment state, CancellationToken ct) => Task.CompletedTask;
}
