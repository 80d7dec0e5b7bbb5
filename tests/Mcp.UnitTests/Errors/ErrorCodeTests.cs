using System.Reflection;
using Mcp.Model.Errors;
using Mcp.TestKit;

namespace Mcp.UnitTests.Errors;

public sealed class ErrorCodeTests
{
    [Fact]
    public void The_codes_their_statuses_and_exit_codes_are_the_baseline() =>
        // A released line is never changed or removed: programs of other people match on it.
        Repository.Expect(
            "src/Mcp.Model/Errors/baseline.txt",
            string.Concat(ErrorCode.All.Select(c => $"{c.Text} {c.Status} {c.ExitCode}\n")));

    [Fact]
    public void A_code_is_called_as_its_text_and_stands_once()
    {
        var named = typeof(ErrorCode).GetFields(BindingFlags.Public | BindingFlags.Static)
            .ToDictionary(f => f.Name, f => (ErrorCode)f.GetValue(null)!);
        Assert.All(
            named,
            n => Assert.Equal(
                n.Key,
                n.Value.Text.Replace(".", "", StringComparison.Ordinal).Replace("_", "", StringComparison.Ordinal),
                ignoreCase: true));
        Assert.Equal(named.Values.Select(c => c.Text).Order(StringComparer.Ordinal), ErrorCode.All.Select(c => c.Text));
        Assert.All(named.Values, c => Assert.Same(c, ErrorCode.Find(c.Text)));
    }

    [Fact]
    public void What_another_version_says_keeps_its_text_and_is_equal_to_itself()
    {
        Assert.Null(ErrorCode.Find("shop.closed"));
        Assert.Equal(ErrorCode.Of("shop.closed"), ErrorCode.Of("shop.closed"));
        Assert.NotEqual(ErrorCode.Of("shop.closed"), ErrorCode.Of("shop.open"));
        Assert.Equal(("shop.closed", 1), (ErrorCode.Of("shop.closed").ToString(), ErrorCode.Of("shop.closed").ExitCode));
        Assert.DoesNotContain(ErrorCode.Of("shop.closed"), ErrorCode.All);
        Assert.Same(ErrorCode.ImagePull, ErrorCode.Of("image.pull"));
    }
}
