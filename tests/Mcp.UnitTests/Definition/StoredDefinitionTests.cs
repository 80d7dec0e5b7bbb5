using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Model.Revisions;

namespace Mcp.UnitTests.Definition;

/// <summary>What is stored is read with the rules of its day; what a person asks for, with today's.</summary>
public sealed class StoredDefinitionTests
{
    private const string Twins = """
        name = "twins"
        [[components]]
        name = "one"
        image = "x.lan/y:1"
        volumes = ["/srv/both:/data"]
        [[components]]
        name = "two"
        image = "x.lan/y:1"
        volumes = ["/srv/both/below:/data"]
        """;

    [Fact]
    public void A_rule_of_today_is_for_those_who_ask_today()
    {
        var e = Assert.Throws<ServiceFileException>(() => ServiceFile.Parse(Twins, "f.toml"));
        var problem = Assert.Single(e.Problems);
        Assert.Equal((9, "component one writes to /srv/both, too"), (problem.Line, problem.Message));
        Assert.Equal(2, Revision.Legacy(Twins).TryRead()?.Components.Count);
    }

    [Fact]
    public void Keys_of_a_newer_version_are_named_and_the_rest_is_read()
    {
        var stored = Revision.Legacy("""
            name = "s"
            colour = "red"
            [[components]]
            name = "web"
            image = "x.lan/y:1"
            nice = 5
            health = { tcp = true, port = 1, mood = "1s" }
            [[components.routes]]
            name = "http"
            port = 80
            humour = "1h"
            """);
        var read = stored.Read(Label.Parse("s"));
        Assert.Equal(["colour", "humour", "mood", "nice"], read.UnreadKeys.Order());
        Assert.Equal(80, read.Components[0].Routes[0].Port);
        Assert.Equal(ErrorCode.DefinitionNewer, Assert.Throws<McpException>(() => stored.ReadWhole(Label.Parse("s"))).Code);
        // It is one service's, and no other's.
        Assert.Null(stored.TryRead(Label.Parse("t")));
        Assert.Equal(ErrorCode.DefinitionUnreadable, Assert.Throws<McpException>(() => stored.Read(Label.Parse("t"))).Code);
    }

    [Theory]
    [InlineData("volumes = [\"pool/data:/x\"]")]
    [InlineData("restart = \"sometimes\"")]
    [InlineData("volumes = 7")]
    [InlineData("cmd = [")]
    public void A_value_that_this_version_cannot_take_is_never_left_out(string line) =>
        Assert.Null(Revision.Legacy($"name = \"s\"\n[[components]]\nname = \"web\"\nimage = \"x.lan/y:1\"\n{line}\n").TryRead());

    [Fact]
    public void Two_revisions_are_the_same_whichever_versions_wrote_them()
    {
        var one = Revision.Of(ServiceFile.Parse(Twins.Replace("/below", "-two", StringComparison.Ordinal), "f.toml"));
        var spaced = Revision.Stored(one.Body.Replace(",\"", ", \"", StringComparison.Ordinal));
        Assert.NotEqual(one, spaced);
        Assert.True(one.IsSame(spaced));
        Assert.False(one.IsSame(Revision.Legacy(Twins)));
        Assert.False(Revision.Stored("").IsSame(Revision.Stored("[")));
        Assert.True(Revision.Stored("").IsSame(Revision.Stored("")));
    }

    [Theory]
    [InlineData("volumes = [\"/a:/b\"]", "stop-first", "two instances write to one volume")]
    [InlineData("ports = [\"1:1\"]", "stop-first", "fixed ports or the host network")]
    [InlineData("volumes = [\"/a:/b:shared\"]", null, "")]
    [InlineData("volumes = [\"/a:/b:ro\"]", null, "")]
    public void Beside_goes_only_with_what_two_instances_can_hold(string line, string? instead, string says)
    {
        var text = $"name = \"s\"\n[[components]]\nname = \"web\"\nimage = \"x.lan/y:1\"\nupdate = \"beside\"\n{line}\n";
        if (instead is null)
        {
            Assert.Equal(UpdateMode.Beside, ServiceFile.Parse(text, "f").Components[0].Update);
        }
        else
        {
            Assert.Contains(
                says,
                Assert.Throws<ServiceFileException>(() => ServiceFile.Parse(text, "f")).Message,
                StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Update_and_shared_survive_writing_and_reading()
    {
        var text = "name = \"s\"\n[[components]]\nname = \"web\"\nimage = \"x.lan/y:1\"\nupdate = \"stop-first\"\nvolumes = "
            + "[\"/a:/b:shared\", \"/c:/d\", \"/e:/f:ro\"]\n";
        var component = ServiceFile.Parse(ServiceFileWriter.Write(ServiceFile.Parse(text, "f")), "again").Components[0];
        Assert.Equal(UpdateMode.StopFirst, component.Update);
        Assert.Equal([(false, true), (false, false), (true, false)], component.Volumes.Select(v => (v.ReadOnly, v.Shared)));
    }
}
