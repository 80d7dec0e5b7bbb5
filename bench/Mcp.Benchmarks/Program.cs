using BenchmarkDotNet.Running;
using Mcp.Benchmarks;

return args switch
{
    ["validate"] => BenchmarkRunner.Run<ServiceFileBenchmark>().HasCriticalValidationErrors ? 1 : 0,
    ["status", var login, var calls] => await StatusCalls.RunAsync(login, int.Parse(calls, System.Globalization.CultureInfo.InvariantCulture)),
    ["vms", var what, var state, var bin, var ops, var image, var count] => await Vms.RunAsync(what, state, bin, ops, image, count),
    _ => throw new ArgumentException("validate | status LOGIN.JSON CALLS | vms starts|boots|list STATE BIN OPS IMAGE COUNT"),
};
