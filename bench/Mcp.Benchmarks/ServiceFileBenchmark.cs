using System.Globalization;
using System.Text;
using BenchmarkDotNet.Attributes;
using Mcp.Model.Definition;

namespace Mcp.Benchmarks;

/// <summary>Reading and checking the largest service file that is allowed, in two shapes: few components with long values, and thousands of short ones.</summary>
[MemoryDiagnoser]
public class ServiceFileBenchmark
{
    private string _text = "";

    [Params("64 components", "3300 components", "3300 components, all wrong")]
    public string Shape { get; set; } = "";

    [GlobalSetup]
    public void Setup()
    {
        var text = new StringBuilder("name = \"large\"\n");
        var note = Shape.StartsWith("64", StringComparison.Ordinal) ? new string('x', ServiceFile.MaxBytes / 64 - 400) : "x";
        for (var i = 0; text.Length < ServiceFile.MaxBytes - note.Length - 400; i++)
        {
            text.Append(CultureInfo.InvariantCulture, $"""

                [[components]]
                name   = "c{i}"
                image  = "registry.lan:5000/large/component-{i}:v1.4.2"
                env    = {"{"} LOG_LEVEL = "info", NOTE = "{note}" {"}"}
                health = {"{"} http = "/healthz", interval = "2s" {"}"}
                [[components.routes]]
                name     = "http"
                port     = 8080
                hostname = "c{i}.example.com"
                """);
        }

        _text = Shape.EndsWith("wrong", StringComparison.Ordinal) ? text.Replace("8080", "80800").ToString()[..(ServiceFile.MaxBytes - 400)] : text.ToString();
    }

    [Benchmark]
    public int Check()
    {
        try
        {
            return ServiceFile.Parse(_text, "large.toml").Components.Count;
        }
        catch (ServiceFileException e)
        {
            return e.Message.Length;
        }
    }
}
