using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Model.Routes;

namespace Mcp.UnitTests.Routes;

public sealed class AllowedDomainsTests
{
    private static readonly AllowedDomains s_allowed = new([Name("example.com"), Name("lab.example.org")]);

    [Theory]
    [InlineData("example.com", true)]
    [InlineData("blog.example.com", true)]
    [InlineData("a.b.example.com", true)]
    [InlineData("lab.example.org", true)]
    [InlineData("example.org", false)]
    [InlineData("example.com.evil.net", false)]
    [InlineData("evilexample.com", false)]
    [InlineData("evil-example.com", false)]
    [InlineData("com.example", false)]
    public void A_name_is_within_a_domain_by_whole_labels(string hostname, bool allowed) =>
        Assert.Equal(allowed, s_allowed.Allow(Name(hostname)));

    [Theory]
    [InlineData("example.com.")]
    [InlineData("EXAMPLE.com")]
    [InlineData("*.example.com")]
    [InlineData("ехample.com")]
    [InlineData("example.com:443")]
    [InlineData("example.com/x")]
    [InlineData(" example.com")]
    [InlineData("example..com")]
    [InlineData("evil.net\nexample.com")]
    public void Another_spelling_of_a_name_is_no_name(string hostname) => Assert.False(Hostname.TryParse(hostname, out _));

    [Fact]
    public void A_service_with_a_public_route_elsewhere_is_refused_and_private_ones_do_not_matter()
    {
        static ServiceDefinition Service(string hostname, bool isPublic) => ServiceFile.Parse($"""
            name = "web"
            [[components]]
            name = "web"
            image = "x.lan/y:1"
            [[components.routes]]
            name = "http"
            port = 80
            hostname = "{hostname}"
            public = {(isPublic ? "true" : "false")}
            """, "web.toml");
        s_allowed.Check(Service("blog.example.com", true));
        s_allowed.Check(Service("blog.evil.net", false));
        var e = Assert.Throws<McpException>(() => s_allowed.Check(Service("blog.evil.net", true)));
        Assert.Equal((ErrorCode.RouteDomain, "allowed: example.com, lab.example.org and what lies below"), (e.Code, e.Hint));
        Assert.Contains("blog.evil.net", e.Message, StringComparison.Ordinal);
    }

    private static Hostname Name(string text) => Hostname.TryParse(text, out var name) ? name : throw new ArgumentException(text);
}
