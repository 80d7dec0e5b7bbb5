using System.Diagnostics;
using Mcp.Agent.Volumes;

namespace Mcp.UnitTests.Agent;

public sealed class HostPathsTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("mcp-paths").FullName;

    public HostPathsTests()
    {
        Directory.CreateDirectory(Path.Combine(_root, "a", "b"));
        Directory.CreateDirectory(Path.Combine(_root, "c"));
        Directory.CreateSymbolicLink(Path.Combine(_root, "abs"), Path.Combine(_root, "a"));
        Directory.CreateSymbolicLink(Path.Combine(_root, "c", "up"), "../a/b");
        Directory.CreateSymbolicLink(Path.Combine(_root, "chain"), "abs");
        Directory.CreateSymbolicLink(Path.Combine(_root, "loop"), "loop");
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Theory]
    [InlineData("a", "a", true)]
    [InlineData("a", "a/b", true)]
    [InlineData("a", "a//./b/", true)]
    [InlineData("a", "ab", false)]
    [InlineData("a", "c", false)]
    [InlineData("a", "abs/b", true)]
    [InlineData("chain", "c/up", true)]
    [InlineData("c/up", "a/b/missing/further", true)]
    [InlineData("c", "a/b", false)]
    [InlineData("", "a/b", true)]
    [InlineData("loop", "a", false)]
    public void One_path_is_another_or_lies_below_it_whatever_links_lead_there(string one, string other, bool overlap)
    {
        Assert.Equal(overlap, HostPaths.Overlap($"{_root}/{one}", $"{_root}/{other}"));
        Assert.Equal(overlap, HostPaths.Overlap($"{_root}/{other}", $"{_root}/{one}"));
    }

    [Fact]
    public void The_root_holds_everything() => Assert.True(HostPaths.Overlap("/", _root));

    [Fact]
    public async Task A_bind_mount_is_the_directory_that_it_shows()
    {
        var shown = Directory.CreateDirectory(Path.Combine(_root, "shown")).FullName;
        Assert.Equal(0, await RunAsync("mount", "--bind", Path.Combine(_root, "a"), shown));
        try
        {
            Assert.True(HostPaths.Overlap(shown, Path.Combine(_root, "a")));
            Assert.True(HostPaths.Overlap(Path.Combine(shown, "b"), Path.Combine(_root, "abs")));
            Assert.True(HostPaths.Overlap(shown, Path.Combine(_root, "a", "b")));
            Assert.False(HostPaths.Overlap(shown, Path.Combine(_root, "c")));
            // Below a directory, too: whoever has that sees the mount.
            var parent = Directory.CreateDirectory(Path.Combine(_root, "parent", "inner")).FullName;
            Assert.Equal(0, await RunAsync("mount", "--bind", Path.Combine(_root, "a", "b"), parent));
            try
            {
                Assert.True(HostPaths.Overlap(Path.Combine(_root, "parent"), Path.Combine(_root, "a")));
                Assert.False(HostPaths.Overlap(Path.Combine(_root, "parent"), Path.Combine(_root, "c")));
            }
            finally
            {
                Assert.Equal(0, await RunAsync("umount", parent));
            }
        }
        finally
        {
            Assert.Equal(0, await RunAsync("umount", shown));
        }
    }

    private static async Task<int> RunAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(program, arguments);
        await process.WaitForExitAsync();
        return process.ExitCode;
    }
}
