using System.Text.Json;
using Mcp.Runtimes.Images;

namespace Mcp.UnitTests.Runtimes;

/// <summary>What images say that they should be asked, as builders of images write it.</summary>
public class ImageCheckTests
{
    [Theory]
    [InlineData("""{"Test":["CMD","pg_isready","-U","x y"]}""", "pg_isready|-U|x y", 90, 30, 30)]
    [InlineData("""{"Test":["CMD-SHELL","curl -f http://localhost/ || exit 1"],"Interval":5000000000,"Timeout":3000000000,"Retries":2}""",
        "/bin/sh|-c|curl -f http://localhost/ || exit 1", 10, 5, 3)]
    [InlineData("""{"Test":["CMD","x"],"StartPeriod":60000000000,"Interval":10000000000,"Retries":6}""", "x", 120, 10, 30)]
    [InlineData("""{"Test":["CMD","x"],"Interval":-5,"Timeout":-1,"StartPeriod":-1,"Retries":-1}""", "x", 90, 30, 30)]
    [InlineData("""{"Test":["CMD","x"],"Interval":9223372036854775807,"Retries":2147483647}""", "x", 600, 3600, 30)]
    public void A_deploy_asks_for_as_long_as_its_author_would_have_waited(
        string text, string exec, int budget, int every, int timeout)
    {
        var check = ImageCheck.Of(ImageCheck.Read(JsonDocument.Parse(text).RootElement));
        Assert.NotNull(check);
        Assert.Equal(exec, string.Join('|', check.Exec));
        Assert.Equal(TimeSpan.FromSeconds(budget), check.Interval * check.Retries);
        Assert.Equal(TimeSpan.FromSeconds(every), check.Every);
        Assert.Equal(TimeSpan.FromSeconds(timeout), check.Timeout);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"Test":[]}""")]
    [InlineData("""{"Test":["NONE"]}""")]
    [InlineData("""{"Test":["CMD"]}""")]
    [InlineData("""{"Test":"CMD"}""")]
    [InlineData("""{"Test":["CMD","x"],"Retries":"three"}""")]
    [InlineData("""["CMD"]""")]
    [InlineData("""{"Test":["CMD",null]}""")]
    [InlineData("""{"Test":["WAT","x"]}""")]
    public void There_is_nothing_to_ask(string text) =>
        Assert.Null(ImageCheck.Of(ImageCheck.Read(JsonDocument.Parse(text).RootElement)));
}
