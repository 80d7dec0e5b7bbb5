using Grpc.Core;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Protocol.V1;

namespace Mcp.UnitTests.Master;

/// <summary>Named volumes of a fleet: each with its node, and none is removed of which another node may have one of that name.</summary>
public sealed class FleetVolumesTests : FaultyFleet
{
    private static readonly Label s_blog = Label.Parse("blog");

    [Fact]
    public async Task Volumes_of_all_nodes_are_listed_with_their_node()
    {
        using var world = World(Fresh());
        Keep("alder", "blog", "data");
        Keep("beech", "shop", "data");
        var all = await world.Node.View.VolumesAsync(new VolumesRequest(), default);
        Assert.Equal(
            [("alder", "blog"), ("beech", "shop")],
            all.Volumes.Select(v => (v.Node, v.Service)).OrderBy(v => v.Node, StringComparer.Ordinal));
        var shops = await world.Node.View.VolumesAsync(new VolumesRequest { Service = "shop" }, default);
        Assert.Equal("shop", Assert.Single(shops.Volumes).Service);
    }

    [Fact]
    public async Task The_node_of_a_volume_is_found_where_only_one_has_it()
    {
        using var world = World(Fresh());
        Keep("alder", "blog", "logs");
        Keep("beech", "blog", "data");
        Assert.Equal("beech", (await world.Node.View.WithVolumeAsync(s_blog, "data", default)).Text);
        Keep("alder", "blog", "data");
        await RefusedAsync(world, ErrorCode.VolumeUnknown, "alder, beech");
        Agents["alder"].Volumes.Clear();
        Agents["beech"].Volumes.Clear();
        await RefusedAsync(world, ErrorCode.VolumeUnknown, "no node has a volume blog/data");
    }

    [Fact]
    public async Task A_node_that_does_not_answer_may_have_the_volume_too()
    {
        using var world = World(Fresh());
        Keep("beech", "blog", "data");
        Agents["alder"].Hook = (what, _) => what == "volumes"
            ? throw new RpcException(new Status(StatusCode.Unavailable, "away"))
            : Task.CompletedTask;
        Assert.Equal("alder", Assert.Single((await world.Node.View.VolumesAsync(new VolumesRequest(), default)).Unreachable).Node);
        await RefusedAsync(world, ErrorCode.VolumeUnsure, "alder does not answer");
    }

    private static async Task RefusedAsync(MasterWorld world, ErrorCode code, string why)
    {
        var e = await Assert.ThrowsAsync<McpException>(() => world.Node.View.WithVolumeAsync(s_blog, "data", default));
        Assert.Equal(code, e.Code);
        Assert.Contains(why, e.Message, StringComparison.Ordinal);
    }

    private void Keep(string node, string service, string name) =>
        Agents[node].Volumes[$"{service}/{name}"] = new Volume { Service = service, Name = name };
}
