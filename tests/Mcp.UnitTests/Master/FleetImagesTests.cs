using Grpc.Core;
using Mcp.Model.Errors;
using Mcp.Protocol.V1;

namespace Mcp.UnitTests.Master;

/// <summary>Images of a fleet: each with its node, of all nodes or of one.</summary>
public sealed class FleetImagesTests : FaultyFleet
{
    [Fact]
    public async Task Images_of_all_nodes_or_of_one_are_listed_with_their_node_and_removed()
    {
        using var world = World(Fresh());
        Keep("alder", "one");
        Keep("beech", "two");
        Keep("beech", "three", "blog/web");
        var all = await world.Node.View.ImagesAsync(new ImagesRequest(), default);
        Assert.Equal(["alder one", "beech three", "beech two"], Told(all.Images));
        var request = new ImagesRequest { Node = "alder" };
        Assert.Equal(["alder one"], Told((await world.Node.View.ImagesAsync(request, default)).Images));
        var unknown = new ImagesRequest { Node = "birch" };
        var e = await Assert.ThrowsAsync<McpException>(() => world.Node.View.ImagesAsync(unknown, default));
        Assert.Equal(ErrorCode.NodeUnknown, e.Code);

        var dry = new PruneImagesRequest { DryRun = true };
        Assert.Equal(["alder one", "beech two"], Told((await world.Node.View.PruneImagesAsync(dry, default)).Images));
        var beech = await world.Node.View.PruneImagesAsync(new PruneImagesRequest { Node = "beech" }, default);
        Assert.Equal(["beech two"], Told(beech.Images));
        Assert.Equal(10, beech.Bytes);
        Assert.Equal(["alder one", "beech three"], Told((await world.Node.View.ImagesAsync(new ImagesRequest(), default)).Images));
    }

    [Fact]
    public async Task A_node_that_does_not_answer_is_told()
    {
        using var world = World(Fresh());
        Keep("beech", "two");
        Agents["alder"].Hook = (what, _) => what == "images"
            ? throw new RpcException(new Status(StatusCode.Unavailable, "away"))
            : Task.CompletedTask;
        var told = await world.Node.View.ImagesAsync(new ImagesRequest(), default);
        Assert.Equal("alder", Assert.Single(told.Unreachable).Node);
        Assert.Equal(["beech two"], Told(told.Images));
    }

    private static string[] Told(IEnumerable<NodeImage> images) =>
        [.. images.Select(i => $"{i.Node} {i.Id}").Order(StringComparer.Ordinal)];

    private void Keep(string node, string id, params string[] users) =>
        Agents[node].Held.Add(new NodeImage { Id = id, Bytes = 10, UsedBy = { users } });
}
