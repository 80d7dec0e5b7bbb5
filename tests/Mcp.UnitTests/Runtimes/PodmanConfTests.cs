using Mcp.Runtimes.Podman;

namespace Mcp.UnitTests.Runtimes;

/// <summary>podman's configuration stays its owner's, with one setting more.</summary>
public sealed class PodmanConfTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-conf").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Theory]
    [InlineData("", "[engine]\nexit_command_delay = 10\n")]
    [InlineData("[containers]\npids_limit = 9\n", "[containers]\npids_limit = 9\n[engine]\nexit_command_delay = 10\n")]
    [InlineData("[engine] # ours\nruntime = \"runc\"\n[network]\nx = 1\n",
        "[engine] # ours\nexit_command_delay = 10\nruntime = \"runc\"\n[network]\nx = 1\n")]
    [InlineData("[engine.runtimes]\nrunc = [\"/bin/runc\"]\n",
        "[engine.runtimes]\nrunc = [\"/bin/runc\"]\n[engine]\nexit_command_delay = 10\n")]
    public void The_setting_comes_into_its_table(string text, string with) => Assert.Equal(with, PodmanConf.With(text));

    [Fact]
    public void What_the_owner_says_of_it_stays()
    {
        var asked = Path.Combine(_directory, "containers.conf");
        File.WriteAllText(asked, "[engine]\n exit_command_delay = 3\n");
        Assert.Equal(asked, Assert.Single(PodmanConf.Write(asked, _directory)).Value);
    }

    [Fact]
    public void The_file_that_was_asked_for_is_read_whole()
    {
        var asked = Path.Combine(_directory, "containers.conf");
        File.WriteAllText(asked, "[engine]\nruntime = \"runc\"\n");
        var variables = PodmanConf.Write(asked, _directory);
        Assert.Contains("runtime = \"runc\"", File.ReadAllText(variables["CONTAINERS_CONF"]), StringComparison.Ordinal);
        Assert.Contains("exit_command_delay", File.ReadAllText(variables["CONTAINERS_CONF"]), StringComparison.Ordinal);
        Assert.Equal("[engine]\nexit_command_delay = 10\n", File.ReadAllText(variables["CONTAINERS_CONF_OVERRIDE"]));
    }
}
