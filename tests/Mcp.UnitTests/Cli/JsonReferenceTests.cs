using System.CommandLine;
using System.Text;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;
using Mcp.Cli;
using Mcp.Protocol.V1;
using Mcp.TestKit;

namespace Mcp.UnitTests.Cli;

/// <summary>docs/json.md: what each command prints with -o json. What they really print is held against it by PrintedTests.</summary>
public sealed class JsonReferenceTests
{
    private const string Intro = """
        # What commands print with `-o json`

        One object on standard output; what streams (`deploy`, `node drain`, `logs`, `events`, `watch`) has one object in each line.
        All fields are there always: numbers are numbers, times are RFC 3339 in UTC, what is absent is `null`, an empty text says that
        there is nothing. Fields may be added; none is ever renamed. `x[]` are the elements of a list.

        An error is one object on standard error, and the exit code is the same as without `-o json`:
        `{"error":{"code":"service.unknown","message":"...","hint":"...","exit_code":1}}`. Codes with a dot are those of agents and
        masters; without one: `usage` (the command line), `unreachable`, `unsupported`, `cancelled`, `internal`, `failed`.

        """;

    private static readonly string[] s_own = ["pull", "service export", "service edit"];

    private static readonly (string Commands, string[] Before, MessageDescriptor? Message, string[] Fields)[] s_shapes =
    [
        ("deploy, node drain", ["service: text"], StepEvent.Descriptor, []),
        ("deploy --dry-run, plan", ["service: text"], PlanReply.Descriptor, []),
        (
            "cancel, undeploy, start, stop, restart, adopt, purge, volume remove, node cordon, node uncordon, node remove",
            [],
            OperationReply.Descriptor,
            []
        ),
        ("status, watch", [], StatusReply.Descriptor, []),
        ("ps", [], LiveCheckReply.Descriptor, []),
        ("list", [], null,
        [
            "services[].node: text", "services[].service: text", "services[].running: number", "services[].components[]: text",
            "unreachable[].node: text", "unreachable[].what: text",
        ]),
        ("route list", [], null,
        [
            "routes[].node: text", "routes[].service: text", "routes[].component: text", "routes[].route: text", "routes[].mode: text",
            "routes[].hostname: text", "routes[].port: number", "routes[].reached_from: text", "routes[].certificate_expires: time",
            "routes[].url: text", "unreachable[].node: text", "unreachable[].what: text",
        ]),
        ("doctor", [], null, ["checks[].result: text", "checks[].check: text", "checks[].detail: text"]),
        ("logs", [], LogLine.Descriptor, []),
        ("events", [], Event.Descriptor, []),
        ("sync", [], SyncReply.Descriptor, []),
        ("push", [], PushFileReply.Descriptor, []),
        ("volume list", [], VolumesReply.Descriptor, []),
        ("images", [], ImagesReply.Descriptor, []),
        ("images prune", [], PruneImagesReply.Descriptor, []),
        ("service show", [], ServiceReply.Descriptor, []),
        ("node list", [], ListNodesReply.Descriptor, []),
        ("node show", [], NodeStatusReply.Descriptor, []),
        ("node join-token", [], JoinTokenReply.Descriptor, []),
        ("dns list", [], ListNamesReply.Descriptor, []),
        ("edge list", [], ListEdgeRoutesReply.Descriptor, []),
        ("whoami", [], WhoAmIReply.Descriptor, []),
    ];

    [Fact]
    public void The_reference_is_what_the_messages_are()
    {
        var text = new StringBuilder(Intro);
        foreach (var (commands, before, message, fields) in s_shapes)
        {
            text.Append($"\n## {commands}\n\n| field | |\n| --- | --- |\n");
            foreach (var field in before.Concat(message is null ? fields : Fields(message, "")))
                text.Append($"| `{field.Split(": ")[0]}` | {field.Split(": ")[1]} |\n");
        }

        Repository.Expect("docs/json.md", text.ToString());
    }

    [Fact]
    public void Every_command_with_an_output_is_in_it()
    {
        var told = s_shapes.SelectMany(s => s.Commands.Split(", ")).Where(c => !c.Contains("--")).Concat(s_own);
        Assert.Equal(WithOutput("", CommandLine.Build()).Order(StringComparer.Ordinal), told.Order(StringComparer.Ordinal));
    }

    private static IEnumerable<string> WithOutput(string call, Command command)
    {
        foreach (var below in command.Subcommands)
        {
            var name = $"{call} {below.Name}".Trim();
            if (below.Options.Any(o => o.Name == "--output"))
                yield return name;
            foreach (var further in WithOutput(name, below))
                yield return further;
        }
    }

    private static IEnumerable<string> Fields(MessageDescriptor message, string above)
    {
        foreach (var field in message.Fields.InDeclarationOrder())
        {
            var path = $"{above}{field.Name}{(field.IsRepeated ? "[]" : "")}";
            if (field.FieldType == FieldType.Message && field.MessageType != Timestamp.Descriptor)
            {
                foreach (var below in Fields(field.MessageType, $"{path}."))
                    yield return below;
            }
            else
            {
                yield return $"{path}: {Kind(field)}";
            }
        }
    }

    private static string Kind(FieldDescriptor field) => field.FieldType switch
    {
        FieldType.String => "text",
        FieldType.Bool => "true or false",
        FieldType.Bytes => "bytes in base64",
        FieldType.Message => "time",
        FieldType.Enum => string.Join(", ", field.EnumType.Values.Select(v => v.Name)),
        _ => "number",
    };
}
