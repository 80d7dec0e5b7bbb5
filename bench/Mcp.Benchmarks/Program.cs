using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using Mcp.Benchmarks;

return args switch
{
    ["validate", var how] => Run<ServiceFileBenchmark>(how),
    ["placement", var how] => Run<PlacementBenchmark>(how),
    ["fleet", var bin, var directory, var nodes, var services, var seconds] =>
        await SimulatedFleet.RunAsync(bin, directory, Number(nodes), Number(services), Number(seconds)),
    ["status", var login, var calls] => await StatusCalls.RunAsync(login, Number(calls)),
    ["vms", var what, var state, var bin, var ops, var image, var count] => await Vms.RunAsync(what, state, bin, ops, image, Number(count)),
    _ => throw new ArgumentException(
        "validate full|short | placement full|short | fleet BIN DIRECTORY NODES SERVICES SECONDS | status LOGIN.JSON CALLS"
            + " | vms starts|boots|list STATE BIN OPS IMAGE COUNT"),
};

// Short: once each, in this process, only to see that it works.
static int Run<T>(string how)
{
    var job = how == "short" ? Job.Dry.WithToolchain(InProcessEmitToolchain.Instance) : Job.ShortRun;
    var reports = Path.Combine(Path.GetTempPath(), "reports");
    var summary = BenchmarkRunner.Run<T>(DefaultConfig.Instance.AddJob(job).WithArtifactsPath(reports));
    return summary.HasCriticalValidationErrors || summary.Reports.Any(r => !r.Success) ? 1 : 0;
}

static int Number(string text) => int.Parse(text, System.Globalization.CultureInfo.InvariantCulture);
