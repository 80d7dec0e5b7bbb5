using Mcp.Agent.Volumes;
using Mcp.Model.Names;
using Mcp.Runtimes;
using Mcp.TestKit.Fakes;

namespace Mcp.UnitTests.Agent;

/// <summary>Containers and VMs in memory, watched at each of their changes: never two writers on one exclusive path, never a number for two
/// definitions.</summary>
internal sealed class WritersWorld : IDisposable
{
    private readonly Dictionary<InstanceName, string> _made = [];
    private readonly Dictionary<(Label, Label), int> _greatest = [];
    private readonly Lock _lock = new();
    private int _calls;

    public WritersWorld(string directory)
    {
        Directory = directory;
        Vms = new(TimeProvider.System) { Turn = Containers.Turn };
        foreach (var runtime in (FakeRuntime[])[Containers, Vms])
        {
            runtime.Images.UnionWith(["example.com/hello:v1", "example.com/hello:v2"]);
            runtime.Contents[("example.com/hello:v1", "/data")] = new() { ["seed"] = "1" };
            runtime.Hook = OnChangeAsync;
        }
    }

    public string Directory { get; }

    public FakeRuntime Containers { get; } = new(TimeProvider.System);

    public FakeRuntime Vms { get; }

    /// <summary>What went wrong; empty: nothing.</summary>
    public List<string> Faults { get; } = [];

    /// <summary>Called at each change with its number since the last reset.</summary>
    public Func<int, Task> At { get; set; } = _ => Task.CompletedTask;

    public void Reset(Func<int, Task>? at = null)
    {
        _calls = 0;
        At = at ?? (_ => Task.CompletedTask);
    }

    /// <summary>An agent on this state; another one on the same directory is the agent after a kill -9.</summary>
    public World Agent() => new(Directory, Containers, vms: Vms);

    public async Task<List<InstanceInfo>> InstancesAsync() => [.. await Containers.ListAsync(default), .. await Vms.ListAsync(default)];

    public void Dispose()
    {
        Containers.Dispose();
        Vms.Dispose();
    }

    private async Task OnChangeAsync(string what)
    {
        await LookAsync(what);
        await At(Interlocked.Increment(ref _calls));
    }

    private async Task LookAsync(string what)
    {
        var all = await InstancesAsync();
        List<VolumeHolder> writers;
        lock (Containers.Turn)
            writers = [.. Containers.Holders().Concat(Vms.Holders()).Where(h => !h.Ended)];
        lock (_lock)
        {
            foreach (var instance in all)
                Number(instance);
            for (var i = 0; i < writers.Count; i++)
            {
                foreach (var other in writers.Skip(i + 1).Where(o => Clash(writers[i], o)))
                    Faults.Add($"at {what}: {writers[i].Who} and {other.Who} write to one path");
            }
        }
    }

    private void Number(InstanceInfo instance)
    {
        if (_made.TryGetValue(instance.Name, out var hash))
        {
            if (hash != instance.SpecHash)
                Faults.Add($"{instance.Name} was two definitions");
            return;
        }

        var key = (instance.Name.Service, instance.Name.Component);
        if (_greatest.GetValueOrDefault(key) >= instance.Name.Generation)
            Faults.Add($"{instance.Name} came after generation {_greatest[key]}");
        _greatest[key] = instance.Name.Generation;
        _made[instance.Name] = instance.SpecHash;
    }

    private static bool Clash(VolumeHolder one, VolumeHolder other) =>
        one.Writable.Any(a => other.Writable.Any(b => (a.Exclusive || b.Exclusive) && HostPaths.Overlap(a.Source, b.Source)));
}
