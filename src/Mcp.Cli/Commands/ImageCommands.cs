using System.CommandLine;
using Mcp.Cli.Output;
using Mcp.Model.Names;
using Mcp.Protocol.V1;

namespace Mcp.Cli.Commands;

/// <summary>images, images prune.</summary>
internal static class ImageCommands
{
    private const int IdLength = 12;
    private const int MostUsers = 3;

    public static Command Create()
    {
        var node = Node();
        var images = AgentCommand.Create(
            "images", "Each image: what it takes, who uses it, when it is removed", [node], async (parsed, agent, printer, ct) =>
        {
            var request = new ImagesRequest { Node = Named(parsed.GetValue(node)) };
            var reply = await agent.Client.ListImagesAsync(request, agent.Call(AgentCommand.Quick, ct));
            Show(reply, reply.Images, printer, "no images");
            if (!printer.Json)
                await StatusCommands.ShowUnreachableAsync(reply.Unreachable, printer);
            return reply.Unreachable.Count == 0 ? 0 : 1;
        });
        images.Add(Prune());
        return images;
    }

    private static Command Prune()
    {
        var node = Node();
        var dryRun = new Option<bool>("--dry-run") { Description = "only show what would be removed" };
        return AgentCommand.Create(
            "prune", "Remove the images that mcp pulled and nothing needs any more", [node, dryRun], async (parsed, agent, printer, ct) =>
        {
            var request = new PruneImagesRequest { Node = Named(parsed.GetValue(node)), DryRun = parsed.GetValue(dryRun) };
            var reply = await agent.Client.PruneImagesAsync(request, agent.Changing(ct));
            Show(reply, reply.Images, printer, "nothing to remove");
            if (!printer.Json)
            {
                if (reply.Images.Count > 0)
                {
                    var done = request.DryRun ? "would be removed" : "removed";
                    await Console.Out.WriteLineAsync($"{reply.Images.Count} {done}, up to {VolumeCommands.Size(reply.Bytes)}");
                }

                foreach (var failed in reply.Failed)
                    await Console.Error.WriteLineAsync(Visible.Lines($"mcp: {failed}"));
                await StatusCommands.ShowUnreachableAsync(reply.Unreachable, printer);
            }

            return reply.Failed.Count == 0 && reply.Unreachable.Count == 0 ? 0 : 1;
        });
    }

    private static Option<string?> Node() =>
        new("--node") { Description = "only this one, in a fleet (default: all nodes)", HelpName = "NODE" };

    private static string Named(string? node) => node is null ? "" : Label.Parse(node).Text;

    private static void Show(
        Google.Protobuf.IMessage reply,
        IReadOnlyCollection<NodeImage> images,
        Printer printer,
        string none)
    {
        var fleet = images.Any(i => i.Node.Length > 0);
        Column[] columns =
        [
            .. StatusCommands.Only<Column>(fleet, "NODE"),
            "IMAGE", new("ID", 4), new("KIND", 5), "SIZE", new("USED BY", 2), new("LAST USED", 3), new("GOES ON", 1),
        ];
        printer.Show(reply, new Table(columns, images.Select(i => Row(i, fleet))), none);
    }

    private static Cell[] Row(NodeImage i, bool fleet)
    {
        var users = string.Join(", ", i.UsedBy.Take(MostUsers));
        return
        [
            .. StatusCommands.Only<Cell>(fleet, i.Node),
            i.Image.Length > 0 ? i.Image : "-",
            // Of a disk, its own name: it lies with the image that it was made of.
            i.Id.Split('/')[^1] is var id && id.Length > IdLength && i.Kind != "unikernel disk" ? id[..IdLength] : id,
            i.Kind,
            VolumeCommands.Size(i.Bytes),
            users.Length == 0 ? "-" : i.UsedBy.Count > MostUsers ? $"{users} and {i.UsedBy.Count - MostUsers} more" : users,
            Cell.Age(i.Used),
            i.Goes is null ? "stays" : Cell.Day(i.Goes),
        ];
    }
}
