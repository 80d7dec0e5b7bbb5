using BenchmarkDotNet.Running;
using Mcp.Benchmarks;

return args switch
{
    ["validate"] => BenchmarkRunner.Run<ServiceFileBenchmark>().HasCriticalValidationErrors ? 1 : 0,
    ["status", var login, var calls] => await StatusCalls.RunAsync(login, int.Parse(calls, System.Globalization.CultureInfo.InvariantCulture)),
    _ => throw new ArgumentException("validate | status LOGIN.JSON CALLS"),
};
