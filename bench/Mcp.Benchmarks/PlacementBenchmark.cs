using BenchmarkDotNet.Attributes;
using Mcp.Model.Definition;
using Mcp.Model.Names;
using Mcp.Model.Placement;

namespace Mcp.Benchmarks;

/// <summary>One placement decision over a thousand nodes, half of which cannot have the service.</summary>
public class PlacementBenchmark
{
    private PlacementRequest _request = null!;
    private List<Candidate> _nodes = null!;

    [GlobalSetup]
    public void Prepare()
    {
        _request = new PlacementRequest(ServiceFile.Parse("name = \"s\"\n[[components]]\nname = \"web\"\nimage = \"example.com/hello:v1\"\nmemory_mb = 512", "bench"));
        _nodes = [.. Enumerable.Range(0, 1000).Select(i => new Candidate(Label.Parse($"n{(i * 7919) % 1000:0000}"), new HashSet<Tier> { Tier.Worker }, i % 4 != 0, false, "amd64", new HashSet<RuntimeKind> { RuntimeKind.Container }, i % 4 == 1 ? 100 : 4000, i % 13))];
    }

    [Benchmark]
    public string? Place() => Placer.Place(_request, _nodes).Node?.Text;
}
