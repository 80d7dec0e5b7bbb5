using Grpc.Core;
using Mcp.Daemon.Errors;
using Mcp.Daemon.Operations;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Protocol.Errors;
using Microsoft.Data.Sqlite;

namespace Mcp.UnitTests.Errors;

public sealed class RefusalTests
{
    [Fact]
    public void Every_code_is_told_with_its_own_status() =>
        Assert.All(ErrorCode.All, c => Assert.Equal((c.Status.ToString(), c), Told(new McpException(c, "no"))));

    [Fact]
    public void A_failed_step_is_told_as_one_whatever_it_failed_of()
    {
        var refused = Refusal.Of(new StepFailedException(
            "pull",
            new McpException(ErrorCode.NodeUnknown, "there is no node elm", "mcp node list")))!;
        Assert.Equal((StatusCode.Aborted, ErrorCode.NodeUnknown), (refused.StatusCode, ErrorTrailers.CodeOf(refused)));
        Assert.StartsWith("step pull failed", refused.Status.Detail, StringComparison.Ordinal);
        Assert.Equal("mcp node list", ErrorTrailers.HintOf(refused));
    }

    [Fact]
    public void A_wrong_service_file_and_a_full_disk_are_told_as_such()
    {
        Assert.Equal(
            ("InvalidArgument", ErrorCode.DefinitionInvalid),
            Told(new ServiceFileException("blog.toml", [new Problem(1, 1, "wrong", "", "")])));
        Assert.Equal(("ResourceExhausted", ErrorCode.DiskFull), Told(new SqliteException("full", 13)));
        Assert.Equal(("ResourceExhausted", ErrorCode.RegistryLocked), Told(new SqliteException("busy", 5)));
    }

    [Fact]
    public void A_fault_of_ours_is_none_of_them_and_is_told_as_such_with_its_type()
    {
        var fault = new InvalidOperationException("never");
        Assert.Null(Refusal.Of(fault));
        var told = Refusal.OfFault(fault);
        Assert.Equal((StatusCode.Internal, ErrorCode.Internal), (told.StatusCode, ErrorTrailers.CodeOf(told)));
        Assert.Equal(("InvalidOperationException: never", FailureText.OurFault), (told.Status.Detail, ErrorTrailers.HintOf(told)));
    }

    [Theory]
    [InlineData('x')]
    [InlineData('%')]
    [InlineData('\u4F60')]
    public void A_long_message_leaves_room_for_itself_and_the_code_in_what_a_client_takes(char c)
    {
        var told = Refusal.Of(new McpException(ErrorCode.HealthFailed, new string(c, 1_000_000), new string(c, 1_000_000)));
        Assert.InRange(Uri.EscapeDataString(told.Status.Detail).Length, 1000, 41_000);
        Assert.InRange(told.Trailers.GetValueBytes("mcp-hint-bin")!.Length, 1000, 13_000);
    }

    [Fact]
    public void A_code_and_a_hint_arrive_as_they_were_sent_and_a_code_of_any_length_is_cut()
    {
        var sent = new RpcException(
            Status.DefaultSuccess,
            ErrorTrailers.Of(new McpException(ErrorCode.Of("later.code"), "", "grüße → 你好")));
        Assert.Equal((ErrorCode.Of("later.code"), "grüße → 你好"), (ErrorTrailers.CodeOf(sent), ErrorTrailers.HintOf(sent)));
        var loud = new RpcException(Status.DefaultSuccess, new Metadata { { "mcp-code", new string('x', 5000) } });
        Assert.Equal(new string('x', 64), ErrorTrailers.CodeOf(loud)!.Text);
        var silent = new RpcException(new Status(StatusCode.Unavailable, "away"));
        Assert.Equal((null, ""), (ErrorTrailers.CodeOf(silent), ErrorTrailers.HintOf(silent)));
    }

    private static (string Status, ErrorCode? Code) Told(Exception e) =>
        (Refusal.Of(e)!.StatusCode.ToString(), ErrorTrailers.CodeOf(Refusal.Of(e)!));
}
