using System.Text;
using Google.Protobuf.Reflection;
using Mcp.Agent.Registry;
using Mcp.Daemon.Storage;
using Mcp.Protocol.V1;

namespace Mcp.UnitTests.Architecture;

/// <summary>What may not change by accident: field numbers on the wire, tables on the disk.</summary>
public sealed class ContractTests
{
    [Fact]
    public void The_wire_contract_is_the_baseline()
    {
        var text = new StringBuilder();
        foreach (var method in AgentReflection.Descriptor.Services.SelectMany(s => s.Methods))
            text.Append($"rpc {method.FullName} {(method.IsClientStreaming ? "stream " : "")}{method.InputType.Name} -> {(method.IsServerStreaming ? "stream " : "")}{method.OutputType.Name}\n");
        foreach (var message in AgentReflection.Descriptor.MessageTypes.OrderBy(m => m.Name, StringComparer.Ordinal))
        {
            foreach (var field in message.Fields.InFieldNumberOrder())
                text.Append($"{message.Name}.{field.Name} = {field.FieldNumber} {(field.IsRepeated ? "repeated " : "")}{Type(field)}\n");
            foreach (var value in message.EnumTypes.SelectMany(e => e.Values))
                text.Append($"{message.Name}.{value.EnumDescriptor.Name}.{value.Name} = {value.Number}\n");
        }

        // A released line may be added to, never changed or removed: old and new programs talk to each other.
        Repository.Expect("proto/mcp/v1/baseline.txt", text.ToString());
    }

    [Fact]
    public void Every_enum_on_the_wire_has_an_unspecified_zero() =>
        Assert.All(AgentReflection.Descriptor.MessageTypes.SelectMany(m => m.EnumTypes).Concat(AgentReflection.Descriptor.EnumTypes), e => Assert.EndsWith("_UNSPECIFIED", e.FindValueByNumber(0).Name, StringComparison.Ordinal));

    [Fact]
    public void The_schema_is_the_sum_of_the_migrations()
    {
        var directory = Directory.CreateTempSubdirectory("mcp-schema").FullName;
        using (var database = Database.Open(Path.Combine(directory, "registry.db")))
        {
            Migrator.Migrate(database, Migration.In(typeof(AgentRegistry).Assembly));
            using var connection = database.Connect();
            var schema = connection.Query("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name", r => r.GetString(0) + ";\n");
            Repository.Expect("src/Mcp.Agent/Registry/schema.sql", string.Join('\n', schema));
        }

        Directory.Delete(directory, recursive: true);
    }

    private static string Type(FieldDescriptor field) => field.FieldType switch
    {
        FieldType.Message => field.MessageType.FullName,
        FieldType.Enum => field.EnumType.FullName,
        _ => field.FieldType.ToString().ToLowerInvariant(),
    };
}
