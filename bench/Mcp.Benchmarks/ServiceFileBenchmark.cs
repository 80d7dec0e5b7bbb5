using System.Globalization;
using System.Text;
using BenchmarkDotNet.Attributes;
using Mcp.Model.Definition;

namespace Mcp.Benchmarks;

/// <summary>Reading and checking the largest service file that is allowed.</summary>
[ShortRunJob]
[MemoryDiagnoser]
public class ServiceFileBenchmark
{
    private string _valid = "";
    private string _wrong = "";

    [GlobalSetup]
    public void Setup()
    {
        var text = new StringBuilder("name = \"large\"\n");
        for (var i = 0; text.Length < ServiceFile.MaxBytes - 400; i++)
        {
            text.Append(CultureInfo.InvariantCulture, $"""

                [[components]]
                name   = "c{i}"
                image  = "registry.lan:5000/large/component-{i}:v1.4.2"
                env    = {"{"} LOG_LEVEL = "info", NUMBER = "{i}" {"}"}
                health = {"{"} http = "/healthz", interval = "2s" {"}"}
                [[components.routes]]
                name     = "http"
                port     = 8080
                hostname = "c{i}.example.com"
                """);
        }

        _valid = text.ToString();
        _wrong = _valid.Replace("8080", "80800", StringComparison.Ordinal)[..(ServiceFile.MaxBytes - 400)];
    }

    [Benchmark]
    public int Valid() => ServiceFile.Parse(_valid, "large.toml").Components.Count;

    [Benchmark]
    public int Wrong()
    {
        try
        {
            return ServiceFile.Parse(_wrong, "large.toml").Components.Count;
        }
        catch (ServiceFileException e)
        {
            return e.Message.Length;
        }
    }
}
