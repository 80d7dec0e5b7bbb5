using Mcp.Master.Fleet;
using Mcp.Master.Store;
using Mcp.Model.Names;
using Mcp.Protocol.V1;

namespace Mcp.UnitTests.Master;

/// <summary>Where the services of a fleet are reached.</summary>
public sealed class FleetUrlsTests
{
    private static string Of(RouteStatus route, string overlay)
    {
        var facts = new NodeStatusReply { Overlay = overlay, Zone = "mcp.internal" };
        var reply = new StatusReply { Components = { new ComponentStatus { Node = "alder", Service = "blog", Routes = { route } } } };
        FleetUrls.Mark(reply, [new StoredNode(Label.Parse("alder"), "100.64.0.2:7444", [], "", false, null, facts)]);
        return reply.Components[0].Routes[0].Url;
    }

    [Fact]
    public void A_public_route_is_reached_at_its_hostname_and_another_one_in_the_overlay()
    {
        const string Local = "http://web.blog.localhost:8080/";
        Assert.Equal("https://blog.example.com/", Of(new RouteStatus { Url = Local, Edge = "beech", Hostname = "blog.example.com" }, ""));
        Assert.Equal("https://web.blog.mcp.internal:8444/", Of(new RouteStatus { Url = Local }, "100.64.0.2:8444"));
    }

    [Fact]
    public void What_is_reached_on_its_own_node_only_has_no_url_in_the_fleet()
    {
        Assert.Equal("", Of(new RouteStatus { Url = "http://blog.localhost:8080/" }, ""));
        Assert.Equal("", Of(new RouteStatus { Url = "http://127.0.0.1:20001/" }, "100.64.0.2:8444"));
        Assert.Equal("", Of(new RouteStatus { Url = "tls://blog.localhost:8443/" }, "100.64.0.2:8444"));
        Assert.Equal("", Of(new RouteStatus(), "100.64.0.2:8444"));
    }
}
