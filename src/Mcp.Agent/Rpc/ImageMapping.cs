using Google.Protobuf.WellKnownTypes;
using Mcp.Agent.Images;
using Mcp.Model.Images;
using Mcp.Model.Names;
using Mcp.Protocol.V1;

namespace Mcp.Agent.Rpc;

/// <summary>Images, to wire messages.</summary>
internal static class ImageMapping
{
    public static ImagesReply ToWire(this ImageOverview overview, Label node)
    {
        var reply = new ImagesReply();
        reply.Images.AddRange(overview.Fates.Select(ToWire));
        reply.Unreachable.AddRange(overview.Silent.Select(s => new NodeProblem { Node = node.Text, What = $"{node}: {s}" }));
        return reply;
    }

    public static PruneImagesReply ToWire(this PrunedImages pruned)
    {
        var reply = new PruneImagesReply { Bytes = pruned.Bytes };
        reply.Images.AddRange(pruned.Gone.Select(ToWire));
        reply.Failed.AddRange(pruned.Failed);
        return reply;
    }

    private static NodeImage ToWire(ImageFate fate)
    {
        var image = new NodeImage
        {
            Image = fate.References.Concat(fate.Image.Names).FirstOrDefault() ?? "",
            Id = fate.Image.Id,
            Kind = fate.Image.Kind switch
            {
                ImageKind.Podman => "podman image",
                ImageKind.Unpacked => "unpacked",
                ImageKind.Disk => "unikernel disk",
                var other => throw new InvalidOperationException($"unknown kind {other}"),
            },
            Bytes = fate.Image.Bytes,
            Used = fate.Used?.ToTimestamp(),
            Goes = fate.Goes?.ToTimestamp(),
        };
        image.UsedBy.AddRange(fate.UsedBy);
        return image;
    }
}
