using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Routes;

namespace Mcp.UnitTests.Routes;

public class ZoneNamesTests
{
    [Theory]
    [InlineData("mcp.internal", "mcp.internal", true)]
    [InlineData("mcp.internal", "shop.mcp.internal", true)]
    [InlineData("mcp.internal", "SHOP.MCP.Internal", true)]
    [InlineData("mcp.internal", "shop.mcp.internal.", true)]
    [InlineData("mcp.internal", "*.mcp.internal", true)]
    [InlineData("mcp.internal", "db.shop.mcp.internal", true)]
    [InlineData("mcp.internal", "a.b.c.mcp.internal", true)]
    [InlineData("MCP.Internal.", "shop.mcp.internal", true)]
    [InlineData("mcp.internal", "shopmcp.internal", false)]
    [InlineData("mcp.internal", "internal", false)]
    [InlineData("mcp.internal", "mcp.internal.example.com", false)]
    public void A_name_is_in_the_zone_in_every_spelling(string zone, string name, bool inside) =>
        Assert.Equal(inside, ZoneNames.Has(zone, name));

    [Theory]
    [InlineData("shop.mcp.internal", "l7", false)]
    [InlineData("shop.mcp.internal", "l4", false)]
    [InlineData("shop.mcp.internal", "l7", true)]
    [InlineData("web.shop.mcp.internal", "l7", false)]
    [InlineData("thief.mcp.internal", "l7", false)]
    [InlineData("web.thief.mcp.internal", "l7", false)]
    [InlineData("mcp.internal", "l7", false)]
    public void A_hostname_in_the_zone_is_refused_whosever_and_whatever_route_it_is(string hostname, string mode, bool open)
    {
        var e = Assert.Throws<McpException>(() => ZoneNames.Check("mcp.internal", Thief(hostname, mode, open)));
        Assert.Equal(ErrorCode.RouteZone, e.Code);
        Assert.Contains(hostname, e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("SHOP.mcp.internal")]
    [InlineData("shop.mcp.internal.")]
    [InlineData("*.mcp.internal")]
    public void Other_spellings_are_no_hostnames_at_all(string hostname) =>
        Assert.Throws<ServiceFileException>(() => Thief(hostname, "l7", false));

    [Fact]
    public void A_hostname_elsewhere_is_taken() => ZoneNames.Check("mcp.internal", Thief("shop.example.com", "l7", true));

    private static ServiceDefinition Thief(string hostname, string mode, bool open) => ServiceFile.Parse($"""
        name = "thief"
        [[components]]
        name = "web"
        image = "localhost/web:1"
        [[components.routes]]
        name = "http"
        port = 8080
        mode = "{mode}"
        public = {(open ? "true" : "false")}
        hostname = "{hostname}"
        """, "thief.toml");
}
