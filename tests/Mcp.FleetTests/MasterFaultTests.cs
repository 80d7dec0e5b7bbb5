using System.Security.Cryptography.X509Certificates;
using Mcp.FleetTests.Hosts;
using Microsoft.Data.Sqlite;

namespace Mcp.FleetTests;

/// <summary>What surrounds the master is broken, or time goes by: its answer is clear, and nothing is lost.</summary>
public class MasterFaultTests
{
    [Fact]
    public async Task A_database_that_another_program_holds_is_a_clear_error_and_fine_again_afterwards()
    {
        await using var master = await SpareMaster.CreateAsync();
        await master.StartAsync();
        await using (var connection = new SqliteConnection($"Data Source={Path.Combine(master.State, "master.db")};Pooling=False"))
        {
            await connection.OpenAsync();
            await using var command = connection.CreateCommand();
            command.CommandText = "BEGIN IMMEDIATE";
            await command.ExecuteNonQueryAsync();
            // Reading goes on.
            Assert.Equal(0, (await master.McpAsync("node", "list")).ExitCode);
            var (exitCode, _, error) = await master.McpAsync("node", "join-token");
            Assert.Equal(1, exitCode);
            Assert.Contains("is locked by another program", error, StringComparison.Ordinal);
        }

        Assert.Equal(0, (await master.McpAsync("node", "join-token")).ExitCode);
    }

    [Fact]
    public async Task A_corrupted_database_keeps_the_master_from_starting_and_is_not_touched()
    {
        await using var master = await SpareMaster.CreateAsync();
        var file = Path.Combine(master.State, "master.db");
        byte[] garbage = [.. "SQLite format 3\0"u8, .. Enumerable.Range(0, 9000).Select(i => (byte)(i * 31))];
        await File.WriteAllBytesAsync(file, garbage);
        var (exitCode, _, error) = await master.RunAsync();
        Assert.Equal(1, exitCode);
        Assert.Contains($"the master's database {file} is damaged", error, StringComparison.Ordinal);
        Assert.Contains("restore it from a backup", error, StringComparison.Ordinal);
        Assert.Equal(garbage, await File.ReadAllBytesAsync(file));
    }

    [Fact]
    public async Task A_full_disk_is_a_clear_error_and_the_database_stays_intact()
    {
        var mount = Directory.CreateTempSubdirectory("mcp-small-master").FullName;
        Assert.Equal(0, (await Command.RunAsync("mount", ["-t", "tmpfs", "-o", "size=3m", "tmpfs", mount])).ExitCode);
        try
        {
            await using var master = await SpareMaster.CreateAsync(mount);
            await master.StartAsync();
            Assert.Equal(0, (await master.McpAsync("node", "join-token")).ExitCode);
            var filler = Path.Combine(mount, "filler");
            await Command.RunAsync("dd", ["if=/dev/zero", $"of={filler}", "bs=4096"]);
            // The write-ahead log has room for some more.
            var answer = (ExitCode: 0, Output: "", Error: "");
            for (var i = 0; i < 200 && answer.ExitCode == 0; i++)
                answer = await master.McpAsync("node", "join-token");
            Assert.Equal(1, answer.ExitCode);
            Assert.Contains("a disk of the machine", answer.Error, StringComparison.Ordinal);
            Assert.Equal(0, (await master.McpAsync("node", "list")).ExitCode);
            File.Delete(filler);
            Assert.Equal(0, (await master.McpAsync("node", "join-token")).ExitCode);
        }
        finally
        {
            await Command.RunAsync("umount", ["-l", mount]);
            Directory.Delete(mount, recursive: true);
        }
    }

    [Fact]
    public async Task Certificates_are_renewed_by_themselves_and_the_old_ones_stop_counting()
    {
        await using var master = await SpareMaster.CreateAsync(
            null,
            ("# certificate_life = \"720h\"", "certificate_life = \"9s\""),
            ("\"10s\"", "\"300ms\""));
        await master.StartAsync();
        var pem = Path.Combine(await master.AgentAsync("elm"), "member", "node.pem");
        var first = Serial(pem);
        var seen = new HashSet<string> { first };
        // Two lives of the first certificate, and at no moment is the node away.
        var clock = TimeProvider.System.GetTimestamp();
        await Fleet.UntilAsync(
            async () => (await master.McpAsync("node", "list")).Output.Contains(" reachable", StringComparison.Ordinal),
            "elm is a node");
        while (TimeProvider.System.GetElapsedTime(clock) < TimeSpan.FromSeconds(20))
        {
            seen.Add(Serial(pem));
            Assert.DoesNotContain("unreachable", (await master.McpAsync("node", "list")).Output, StringComparison.Ordinal);
            // The master asks the agent with a certificate of its own, which is renewed too.
            var (exitCode, output, error) = await master.McpAsync("node", "show", "elm");
            Assert.True(exitCode == 0 && output.Contains("elm", StringComparison.Ordinal), output + error);
            await Task.Delay(200);
        }

        Assert.InRange(seen.Count, 3, 10);
    }

    [Fact]
    public async Task Nodes_of_the_configuration_are_expected_until_they_join()
    {
        await using var master = await SpareMaster.CreateAsync(
            null,
            ("# [[nodes]]", "[[nodes]]"),
            ("# name = \"rift\"", "name = \"rift\""),
            ("# roles = [\"worker\"]", "roles = [\"worker\", \"edge\"]"));
        await master.StartAsync();
        var list = (await master.McpAsync("node", "list")).Output;
        Assert.Contains("expected", list, StringComparison.Ordinal);
        Assert.Contains("worker,edge", list, StringComparison.Ordinal);
        await master.AgentAsync("rift");
        await Fleet.UntilAsync(
            async () => (await master.McpAsync("node", "list")).Output.Contains(" reachable", StringComparison.Ordinal),
            "rift is a node");
    }

    private static string Serial(string pem)
    {
        using var certificate = X509Certificate2.CreateFromPem(File.ReadAllText(pem));
        return certificate.SerialNumber;
    }
}
