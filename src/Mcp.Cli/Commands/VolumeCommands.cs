using System.CommandLine;
using System.Globalization;
using Grpc.Core;
using Mcp.Cli.Connection;
using Mcp.Cli.Output;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Protocol.V1;

namespace Mcp.Cli.Commands;

/// <summary>volume list, volume remove, and what `undeploy --volumes` does after the undeploy.</summary>
internal static class VolumeCommands
{
    private const long Unit = 1024;
    private static readonly string[] s_units = ["B", "KiB", "MiB", "GiB", "TiB"];

    public static Command Create() => new("volume", "Named volumes of services")
    {
        List(),
        Remove(),
    };

    /// <summary>All that a service has, everywhere.</summary>
    /// <exception cref="McpException">volume.unsure: a node does not answer.</exception>
    public static async Task<IReadOnlyList<Volume>> OfAsync(string service, AgentConnection agent, CancellationToken ct)
    {
        var reply = await agent.Client.ListVolumesAsync(new VolumesRequest { Service = service }, agent.Call(AgentCommand.Quick, ct));
        return reply.Unreachable.Count == 0
            ? reply.Volumes
            : throw new McpException(
                ErrorCode.VolumeUnsure,
                $"{reply.Unreachable[0].Node} does not answer and may have volumes of {service}; nothing was removed: "
                    + reply.Unreachable[0].What,
                "try again when it is back, or without --volumes: they stay, and mcp volume remove removes them later");
    }

    /// <summary>Asks on a terminal.</summary>
    /// <exception cref="McpException">usage: there is nobody to ask, or the answer is no.</exception>
    public static async Task ConfirmAsync(IReadOnlyList<Volume> volumes, bool yes, CancellationToken ct)
    {
        if (yes || volumes.Count == 0)
            return;
        var names = string.Join(", ", volumes.Select(v => $"{Name(v)} ({Size(v.Bytes)}{(v.Node.Length > 0 ? $" on {v.Node}" : "")})"));
        if (!Question.CanBeAsked)
            throw new McpException(ErrorCode.Usage, $"this removes data for good: {names}", "confirm with --yes");
        await Question.AskAsync($"This removes data for good: {names}. Remove?", ct);
    }

    /// <summary>Each by itself: one that cannot be removed is told.</summary>
    public static async Task RemoveAsync(
        IReadOnlyList<Volume> volumes,
        OperationReply told,
        AgentConnection agent,
        CancellationToken ct)
    {
        foreach (var volume in volumes)
        {
            var request = new VolumeRequest { Service = volume.Service, Name = volume.Name, Node = volume.Node };
            try
            {
                told.Done.AddRange((await agent.Client.RemoveVolumeAsync(request, agent.Changing(ct))).Done);
            }
            catch (RpcException e) when (!ct.IsCancellationRequested)
            {
                told.Failed.Add($"the volume {Name(volume)} stays: {e.Status.Detail}; try again: mcp volume remove {Name(volume)}");
            }
        }
    }

    private static Command List()
    {
        var service = new Argument<string?>("service") { Arity = ArgumentArity.ZeroOrOne };
        return AgentCommand.Create(
            "list", "Each volume: what it takes, since when it is there, who uses it", [service], async (parsed, agent, printer, ct) =>
        {
            var request = new VolumesRequest { Service = parsed.GetValue(service) is { } name ? Label.Parse(name).Text : "" };
            var reply = await agent.Client.ListVolumesAsync(request, agent.Call(AgentCommand.Quick, ct));
            var fleet = reply.Volumes.Any(v => v.Node.Length > 0);
            Column[] columns =
            [
                .. StatusCommands.Only<Column>(fleet, "NODE"),
                "SERVICE", "VOLUME", "SIZE", new("SINCE", 2), new("USED BY", 1),
            ];
            printer.Show(reply, new Table(columns, reply.Volumes.Select(v => Row(v, fleet))), "no volumes");
            if (!printer.Json)
                await StatusCommands.ShowUnreachableAsync(reply.Unreachable, printer);
            return reply.Unreachable.Count == 0 ? 0 : 1;
        });
    }

    private static Command Remove()
    {
        var volume = new Argument<string>("service/volume");
        var node = new Option<string?>("--node") { Description = "where, in a fleet where several nodes have it", HelpName = "NODE" };
        return AgentCommand.Create(
            "remove", "Remove a volume with its data, unless something uses it", [volume, node], async (parsed, agent, printer, ct) =>
        {
            var parts = parsed.GetValue(volume)!.Split('/');
            if (parts.Length != 2 || !VolumePaths.IsName(parts[1]))
            {
                throw new McpException(
                    ErrorCode.Usage,
                    $"'{Label.Clip(parsed.GetValue(volume)!)}' names no volume",
                    "SERVICE/VOLUME, as mcp volume list shows them");
            }

            var request = new VolumeRequest
            {
                Service = Label.Parse(parts[0]).Text,
                Name = parts[1],
                Node = parsed.GetValue(node) is { } where ? Label.Parse(where).Text : "",
            };
            return LifecycleCommands.Done(await agent.Client.RemoveVolumeAsync(request, agent.Changing(ct)), printer);
        });
    }

    private static Cell[] Row(Volume v, bool fleet) =>
    [
        .. StatusCommands.Only<Cell>(fleet, v.Node),
        v.Service,
        v.Name,
        Size(v.Bytes),
        Cell.Age(v.Made),
        v.UsedBy.Count == 0 ? "nobody" : string.Join(' ', v.UsedBy),
    ];

    private static string Name(Volume v) => $"{v.Service}/{v.Name}";

    public static string Size(long bytes)
    {
        if (bytes < 0)
            return "not counted";
        var (size, unit) = ((double)bytes, 0);
        for (; size >= Unit && unit < s_units.Length - 1; unit++)
            size /= Unit;
        return string.Create(CultureInfo.InvariantCulture, $"{size:0.#} {s_units[unit]}");
    }
}
