using Mcp.Agent;
using Mcp.Model.Definition;

namespace Mcp.UnitTests.Agent;

public sealed class AgentConfigTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-config").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public void What_images_may_take_has_a_default_and_is_settable()
    {
        Assert.Equal((20L * 1024 * 1024 * 1024, 1_000_000), (Read("").Qemu.ImageLimits.MaxBytes, Read("").Qemu.ImageLimits.MaxEntries));
        var set = Read("image_max_mb = 100000\nimage_max_entries = 5").Qemu.ImageLimits;
        Assert.Equal((100_000L * 1024 * 1024, 5), (set.MaxBytes, set.MaxEntries));
    }

    [Theory]
    [InlineData("image_max_mb = 0", "image_max_mb")]
    [InlineData("image_max_mb = 1048577", "image_max_mb")]
    [InlineData("image_max_mb = \"much\"", "image_max_mb")]
    [InlineData("image_max_entries = -1", "image_max_entries")]
    [InlineData("image_max_entries = 100000001", "image_max_entries")]
    public void A_limit_that_is_none_is_a_mistake_of_the_file(string line, string key)
    {
        var problem = Assert.Single(Assert.Throws<ServiceFileException>(() => Read(line)).Problems);
        Assert.Contains(key, problem.ToString(), StringComparison.Ordinal);
        Assert.Contains("a whole number from 1 to", problem.ToString(), StringComparison.Ordinal);
    }

    private AgentConfig Read(string qemu)
    {
        var file = Path.Combine(_directory, "agent.toml");
        File.WriteAllText(file, $"name = \"here\"\nlisten = \"127.0.0.1:7443\"\nstate = \"{_directory}\"\n[qemu]\n{qemu}\n");
        return AgentConfig.Read(file);
    }
}
