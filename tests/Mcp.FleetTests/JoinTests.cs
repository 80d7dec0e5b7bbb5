using Mcp.FleetTests.Hosts;

namespace Mcp.FleetTests;

[Collection("fleet")]
public class JoinTests(Fleet fleet)
{
    [Fact]
    public async Task A_token_counts_once_until_it_expires_and_for_its_own_master_only()
    {
        var token = fleet.NewFile(await fleet.McpOkAsync("node", "join-token"));
        var state = Path.Combine(Path.GetDirectoryName(token)!, "elm", "state");
        Assert.Equal(0, (await fleet.JoinAsync("beech", token, state)).ExitCode);
        Assert.Contains(("elm", "unreachable"), await fleet.NodesAsync());
        var again = await fleet.JoinAsync("beech", token, state.Replace("elm", "fir", StringComparison.Ordinal));
        Assert.Equal(1, again.ExitCode);
        Assert.Contains("was used for elm", again.Error, StringComparison.Ordinal);
        var taken = await fleet.JoinAsync(
            "beech",
            fleet.NewFile(await fleet.McpOkAsync("node", "join-token")),
            Path.Combine(Path.GetDirectoryName(token)!, "other", "elm", "state"));
        Assert.Contains("there is a node elm already", taken.Error, StringComparison.Ordinal);

        var brief = fleet.NewFile(await fleet.McpOkAsync("node", "join-token", "--life", "1s"));
        await Task.Delay(TimeSpan.FromSeconds(1.5));
        Assert.Contains(
            "expired",
            (await fleet.JoinAsync("beech", brief, state.Replace("elm", "gum", StringComparison.Ordinal))).Error,
            StringComparison.Ordinal);
        var foreign = (await File.ReadAllTextAsync(token)).Trim();
        var other = fleet.NewFile(foreign[..^64] + new string('0', 64));
        Assert.Contains(
            "did not make this token",
            (await fleet.JoinAsync("beech", other, state.Replace("elm", "hop", StringComparison.Ordinal))).Error,
            StringComparison.Ordinal);
        await fleet.McpOkAsync("node", "remove", "elm");
        Assert.DoesNotContain(await fleet.NodesAsync(), n => n.Name == "elm");
    }

    [Fact]
    public async Task A_nodes_certificate_opens_nothing_but_its_own_heartbeat()
    {
        var member = Path.Combine(fleet.State("beech"), "member");
        // From the node's own files, as whoever took the node over would.
        var heartbeat = await fleet.CallAsync(member, Fleet.MasterAddress, "/mcp.v1.Master/Heartbeat");
        Assert.Contains("a heartbeat in the name of", heartbeat, StringComparison.Ordinal);
        Assert.Contains(
            "beech has the role node, which may not do this (ListNodes)",
            await fleet.CallAsync(member, Fleet.MasterAddress, "/mcp.v1.Master/ListNodes"),
            StringComparison.Ordinal);
        Assert.Contains(
            "beech has the role node, which may not do this (Status)",
            await fleet.CallAsync(member, $"{Fleet.Address("cedar")}:7444", "/mcp.v1.Agent/Status"),
            StringComparison.Ordinal);
    }
}
