using Mcp.IntegrationTests.Hosts;

namespace Mcp.IntegrationTests.Agent;

[Collection("node")]
public sealed class FilesTests(NodeFixture node) : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-push").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(1_000_000)]
    public async Task A_file_survives_push_and_pull(int size)
    {
        var local = Path.Combine(_directory, "local");
        var back = Path.Combine(_directory, "back");
        var bytes = new byte[size];
        Random.Shared.NextBytes(bytes);
        await File.WriteAllBytesAsync(local, bytes);
        File.SetUnixFileMode(local, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        Assert.Contains(
            $"{node.Files}/blog/conf/x",
            NodeFixture.Succeeded(await node.McpAsync("push", "blog", local, "conf/x")),
            StringComparison.Ordinal);
        NodeFixture.Succeeded(await node.McpAsync("pull", "blog", "conf/x", back));
        Assert.Equal(bytes, await File.ReadAllBytesAsync(back));
        Assert.Equal(File.GetUnixFileMode(local), File.GetUnixFileMode(back));
        Assert.Equal(2, (await node.McpAsync("pull", "blog", "conf/x", back)).ExitCode);
    }

    [Fact]
    public async Task Push_and_pull_do_not_leave_the_services_directory()
    {
        var local = Path.Combine(_directory, "local");
        await File.WriteAllTextAsync(local, "evil");
        NodeFixture.Succeeded(await node.McpAsync("push", "evil", local, "fine"));
        File.CreateSymbolicLink(Path.Combine(node.Files, "evil", "link"), _directory);
        foreach (var path in (string[])["../../etc/passwd", "link/stolen", "/etc/passwd", "../blog/x"])
        {
            var (exitCode, _, error) = await node.McpAsync("push", "evil", local, path);
            // What the path itself shows is bad usage.
            Assert.Equal(path.Contains("..", StringComparison.Ordinal) ? 2 : 1, exitCode);
            Assert.Matches("lies outside|symbolic link", error);
            Assert.Equal(exitCode, (await node.McpAsync("pull", "evil", path, "-")).ExitCode);
        }

        Assert.Equal(["local"], Directory.GetFiles(_directory).Select(Path.GetFileName));
        Assert.DoesNotContain("evil", await File.ReadAllTextAsync("/etc/passwd"), StringComparison.Ordinal);
    }
}
