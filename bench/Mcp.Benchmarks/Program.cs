using BenchmarkDotNet.Running;
using Mcp.Benchmarks;

return args switch
{
    ["validate"] => BenchmarkRunner.Run<ServiceFileBenchmark>().HasCriticalValidationErrors ? 1 : 0,
    ["placement"] => BenchmarkRunner.Run<PlacementBenchmark>().HasCriticalValidationErrors ? 1 : 0,
    ["fleet", var bin, var directory, var nodes, var services] => await SimulatedFleet.RunAsync(bin, directory, Number(nodes), Number(services)),
    ["status", var login, var calls] => await StatusCalls.RunAsync(login, Number(calls)),
    ["vms", var what, var state, var bin, var ops, var image, var count] => await Vms.RunAsync(what, state, bin, ops, image, count),
    _ => throw new ArgumentException("validate | placement | fleet BIN DIRECTORY NODES SERVICES | status LOGIN.JSON CALLS | vms starts|boots|list STATE BIN OPS IMAGE COUNT"),
};

static int Number(string text) => int.Parse(text, System.Globalization.CultureInfo.InvariantCulture);
