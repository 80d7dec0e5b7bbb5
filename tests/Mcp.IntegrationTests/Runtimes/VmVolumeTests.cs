using Mcp.IntegrationTests.Hosts;
using Mcp.Model.Errors;
using Mcp.Model.Instances;
using Mcp.Model.Names;

namespace Mcp.IntegrationTests.Runtimes;

/// <summary>Host directories in microvms, and the programs that show them.</summary>
public sealed class VmVolumeTests : VmTest
{
    private readonly string _shared = Directory.CreateTempSubdirectory("mcp-volume").FullName;

    public VmVolumeTests(NodeFixture node, VmHost host)
        : base(node, host)
    {
    }

    private InstanceName Second => Name with { Generation = 2 };

    public override async ValueTask DisposeAsync()
    {
        await Host.Microvms.RemoveAsync(Second, CancellationToken.None);
        await base.DisposeAsync();
        if (Directory.Exists(_shared))
            Directory.Delete(_shared, recursive: true);
    }

    [Fact]
    public async Task Two_microvms_with_volumes_run_beside_each_other_and_each_has_its_own()
    {
        foreach (var (name, own) in new[] { (Name, "first"), (Second, "second") })
        {
            var directory = Directory.CreateDirectory(Path.Combine(_shared, own)).FullName;
            await RunAsync(
                Host.Microvms,
                $"echo {own} > /data/name; echo wrote; sleep 1000",
                $"volumes = [\"{directory}:/data\"]",
                name: name);
        }

        await SaysAsync(Name, Host.Microvms, "wrote");
        await SaysAsync(Second, Host.Microvms, "wrote");
        Assert.Equal(("first\n", "second\n"), (await NameInAsync("first"), await NameInAsync("second")));
    }

    [Fact]
    public async Task What_a_killed_VM_left_does_not_keep_it_from_starting_again()
    {
        await RunAsync(Host.Microvms, "echo wrote >> /data/name; echo wrote; sleep 1000", $"volumes = [\"{_shared}:/data\"]");
        await SaysAsync(Host.Microvms, "wrote");
        foreach (var process in (string[])[$"mcp-agent vm {Host.DirectoryOf(Host.Microvms, Name)}", $"virtiofsd.*source={_shared}"])
            await Command.RunAsync("pkill", ["-9", "-f", process]);
        await EndedAsync(Host.Microvms);
        await Host.Microvms.StartAsync(Name, default);
        await NodeFixture.UntilAsync(
            async () => await NameInAsync("") == "wrote\nwrote\n",
            "it writes again",
            () => SaidAsync(Host.Microvms));
    }

    [Fact]
    public async Task A_volume_that_cannot_be_shown_is_an_error_in_the_words_of_the_program_that_should()
    {
        await RunAsync(Host.Microvms, "echo here; sleep 1000", $"volumes = [\"{_shared}:/data\"]");
        await Host.Microvms.StopAsync(Name, TimeSpan.Zero, default);
        Directory.Delete(_shared);
        var e = await Assert.ThrowsAsync<McpException>(() => Host.Microvms.StartAsync(Name, default));
        Assert.Contains("volumes", e.Message, StringComparison.Ordinal);
        Assert.Contains(_shared, e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("Failed to connect", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_VM_whose_volume_goes_away_ends_and_says_so()
    {
        await RunAsync(Host.Microvms, "echo here; while :; do ls /data > /dev/null; sleep 1; done", $"volumes = [\"{_shared}:/data\"]");
        await SaysAsync(Host.Microvms, "here");
        await Command.RunAsync("pkill", ["-9", "-f", $"virtiofsd.*source={_shared}"]);
        var ended = await EndedAsync(Host.Microvms);
        Assert.Equal(InstanceState.Failed, ended.State);
        Assert.Contains("volumes", ended.Reason, StringComparison.Ordinal);
    }

    private async Task<string> NameInAsync(string directory)
    {
        var file = Path.Combine(_shared, directory, "name");
        return File.Exists(file) ? await File.ReadAllTextAsync(file) : "";
    }
}
