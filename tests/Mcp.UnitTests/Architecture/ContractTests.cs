using System.Text;
using Google.Protobuf.Reflection;
using Mcp.Agent.Registry;
using Mcp.Daemon.Storage;
using Mcp.Master.Store;
using Mcp.Protocol.V1;
using Mcp.TestKit;

namespace Mcp.UnitTests.Architecture;

/// <summary>What may not change by accident: field numbers on the wire, tables on the disk.</summary>
public sealed class ContractTests
{
    private static readonly FileDescriptor[] s_files = [AgentReflection.Descriptor, MasterReflection.Descriptor];

    [Fact]
    public void The_wire_contract_is_the_baseline()
    {
        var text = new StringBuilder();
        foreach (var method in s_files.SelectMany(f => f.Services).SelectMany(s => s.Methods))
        {
            text.Append(
                $"rpc {method.FullName} {(method.IsClientStreaming ? "stream " : "")}{method.InputType.Name} -> {(method.IsServerStreaming ? "stream " : "")}{method.OutputType.Name}\n");
        }

        foreach (var message in s_files.SelectMany(f => f.MessageTypes).OrderBy(m => m.Name, StringComparer.Ordinal))
        {
            foreach (var field in message.Fields.InFieldNumberOrder())
                text.Append($"{message.Name}.{field.Name} = {field.FieldNumber} {(field.IsRepeated ? "repeated " : "")}{TypeOf(field)}\n");
            foreach (var value in message.EnumTypes.SelectMany(e => e.Values))
                text.Append($"{message.Name}.{value.EnumDescriptor.Name}.{value.Name} = {value.Number}\n");
        }

        // A released line may be added to, never changed or removed: old and new programs talk to each other.
        Repository.Expect("proto/mcp/v1/baseline.txt", text.ToString());
    }

    [Fact]
    public void Every_enum_on_the_wire_has_an_unspecified_zero() =>
        Assert.All(
            s_files.SelectMany(f => f.MessageTypes).SelectMany(m => m.EnumTypes).Concat(s_files.SelectMany(f => f.EnumTypes)),
            e => Assert.EndsWith("_UNSPECIFIED", e.FindValueByNumber(0).Name, StringComparison.Ordinal));

    [Theory]
    [InlineData(typeof(AgentRegistry), "src/Mcp.Agent/Registry/schema.sql")]
    [InlineData(typeof(MasterStore), "src/Mcp.Master/Store/schema.sql")]
    public void The_schema_is_the_sum_of_the_migrations(Type store, string file)
    {
        var directory = Directory.CreateTempSubdirectory("mcp-schema").FullName;
        using (var database = Database.Open(Path.Combine(directory, "registry.db"), AgentRegistry.Owner))
        {
            Migrator.Migrate(database, Migration.In(store.Assembly));
            using var connection = database.Connect();
            var schema = connection.Query("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name", r => r.GetString(0) + ";\n");
            Repository.Expect(file, string.Join('\n', schema));
        }

        Directory.Delete(directory, recursive: true);
    }

    private static string TypeOf(FieldDescriptor field) => field.FieldType switch
    {
        FieldType.Message => field.MessageType.FullName,
        FieldType.Enum => field.EnumType.FullName,
        _ => field.FieldType.ToString().ToLowerInvariant(),
    };
}
