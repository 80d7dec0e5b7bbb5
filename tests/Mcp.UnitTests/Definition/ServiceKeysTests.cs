using System.Text;
using System.Text.Json;
using Mcp.Model.Definition;
using Mcp.TestKit;

namespace Mcp.UnitTests.Definition;

/// <summary>The reference and the schema are made from the one list of keys.</summary>
public sealed class ServiceKeysTests
{
    [Fact]
    public void The_reference_is_made_of_the_keys()
    {
        var text = new StringBuilder("""
            # The service file

            A service is one TOML file of at most 1 MiB. `mcp service validate FILE` says everything that is wrong with it, with line and
            column; `mcp service schema` prints a JSON schema of it for editors ([the same](service-file.schema.json)).

            ```toml
            name = "notes"

            [[components]]
            name    = "db"
            image   = "docker.io/library/postgres:17"
            volumes = ["/srv/notes/data:/var/lib/postgresql/data"]
            ports   = ["10.88.0.1:5432:5432"]
            health  = { exec = ["pg_isready", "-U", "postgres"], interval = "2s" }

            [[components]]
            name  = "web"
            image = "registry.lan/notes:3"
            env   = { DATABASE_HOST = "10.88.0.1" }
            [[components.routes]]
            name     = "http"
            port     = 8080
            hostname = "notes.example.com"
            ```

            """);
        foreach (var (header, keys) in ServiceKeys.All)
        {
            text.Append($"\n## {header}\n\n{KeyReference.Table(keys)}");
        }

        Repository.Expect("docs/service-file.md", text.ToString());
    }

    [Fact]
    public void The_schema_is_made_of_the_keys_and_is_json()
    {
        var schema = ServiceKeys.Schema();
        using var json = JsonDocument.Parse(schema);
        Assert.Equal("https://json-schema.org/draft/2020-12/schema", json.RootElement.GetProperty("$schema").GetString());
        var components = json.RootElement.GetProperty("properties").GetProperty("components");
        var known = components.GetProperty("items").GetProperty("properties").EnumerateObject().Select(p => p.Name);
        Assert.Equal(ServiceKeys.All[1].Keys.Select(k => k.Name), known);
        Repository.Expect("docs/service-file.schema.json", schema);
    }
}
