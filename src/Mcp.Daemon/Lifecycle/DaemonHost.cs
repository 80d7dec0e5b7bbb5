namespace Mcp.Daemon.Lifecycle;

/// <summary>A daemon's life: named stages, started in order and ended in reverse; between them it waits to be told to stop. A stage that
/// fails ends those before it.</summary>
public sealed class DaemonHost(string program)
{
    private readonly List<(string Name, Func<CancellationToken, Task<Func<Task>>> Start)> _stages = [];

    /// <summary>In the order of their start.</summary>
    public IEnumerable<string> StageNames => _stages.Select(s => s.Name);

    /// <param name="start">Gives what ends it again.</param>
    public DaemonHost Stage(string name, Func<CancellationToken, Task<Func<Task>>> start)
    {
        _stages.Add((name, start));
        return this;
    }

    public DaemonHost Stage(string name, Func<IDisposable?> start) => Stage(name, _ =>
    {
        var made = start();
        return Task.FromResult<Func<Task>>(() =>
        {
            made?.Dispose();
            return Task.CompletedTask;
        });
    });

    /// <param name="stop">The signal: SIGTERM or SIGINT.</param>
    public async Task<int> RunAsync(string ready, CancellationToken stop)
    {
        var ends = new Stack<(string Name, Func<Task> End)>();
        try
        {
            foreach (var (name, start) in _stages)
                ends.Push((name, await start(stop)));
            Console.WriteLine(ready);
            await Task.Delay(Timeout.Infinite, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return 0;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return 0;
        }
        finally
        {
            while (ends.TryPop(out var stage))
                await EndAsync(stage.Name, stage.End);
        }
    }

    private async Task EndAsync(string name, Func<Task> end)
    {
        try
        {
            await end();
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            await Console.Error.WriteLineAsync($"{program}: ending {name}: {e.Message}");
        }
    }
}
