using System.Text;
using CsCheck;
using Mcp.Agent.Files;
using Mcp.Model.Errors;
using Mcp.Model.Names;

namespace Mcp.UnitTests.Agent;

public sealed class ServiceFilesTests : IDisposable
{
    private static readonly Label s_blog = Label.Parse("blog");
    private readonly string _outside = Directory.CreateTempSubdirectory("mcp-files").FullName;
    private readonly string _root;
    private readonly ServiceFiles _files;

    public ServiceFilesTests()
    {
        _root = Path.Combine(_outside, "srv");
        _files = new ServiceFiles(_root);
    }

    public void Dispose() => Directory.Delete(_outside, recursive: true);

    [Fact]
    public async Task What_was_pushed_is_pulled_with_its_permissions()
    {
        var (path, bytes) = await PushAsync("conf/app.toml", "hello", UnixFileMode.UserRead | UnixFileMode.GroupRead);
        Assert.Equal(($"{_root}/blog/conf/app.toml", 5L), (path, bytes));
        var (file, mode) = _files.Open(s_blog, $"{_root}/blog/conf/app.toml");
        using (file)
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.GroupRead, mode);
        await PushAsync("conf/app.toml", "again", UnixFileMode.UserRead);
        Assert.Equal("again", await File.ReadAllTextAsync(path));
        Assert.Single(Directory.GetFiles(Path.Combine(_root, "blog", "conf")));
    }

    [Theory]
    [InlineData("../../etc/passwd")]
    [InlineData("..")]
    [InlineData("a/../../other/x")]
    [InlineData("/etc/passwd")]
    public async Task A_path_that_leads_out_is_refused_both_ways(string path)
    {
        Assert.Equal(ErrorCode.FileOutside, (await Assert.ThrowsAsync<McpException>(() => PushAsync(path))).Code);
        Assert.Equal(ErrorCode.FileOutside, Assert.Throws<McpException>(() => _files.Open(s_blog, path)).Code);
        Assert.False(Directory.Exists(_root));
    }

    [Theory]
    [InlineData("")]
    [InlineData(".")]
    [InlineData("a//b")]
    [InlineData("a/")]
    [InlineData("a\0b")]
    [InlineData("a\nb")]
    public async Task A_path_that_names_no_file_is_refused(string path) =>
        Assert.Equal(ErrorCode.FilePath, (await Assert.ThrowsAsync<McpException>(() => PushAsync(path))).Code);

    [Fact]
    public async Task A_name_of_300_characters_is_refused() =>
        Assert.Equal(ErrorCode.FilePath, (await Assert.ThrowsAsync<McpException>(() => PushAsync(new string('x', 300)))).Code);

    [Theory]
    [InlineData("link/x")]
    [InlineData("link")]
    [InlineData("file/x")]
    public async Task A_symbolic_link_or_a_file_on_the_way_is_refused_both_ways(string path)
    {
        await PushAsync("file");
        var secret = Path.Combine(_outside, "secret");
        Directory.CreateDirectory(secret);
        await File.WriteAllTextAsync(Path.Combine(secret, "x"), "secret");
        File.CreateSymbolicLink(Path.Combine(_root, "blog", "link"), path == "link" ? Path.Combine(secret, "x") : secret);
        Assert.Equal(ErrorCode.FileOutside, (await Assert.ThrowsAsync<McpException>(() => PushAsync(path))).Code);
        Assert.Equal(ErrorCode.FileOutside, Assert.Throws<McpException>(() => _files.Open(s_blog, path)).Code);
        Assert.Equal("secret", await File.ReadAllTextAsync(Path.Combine(secret, "x")));
    }

    [Fact]
    public async Task The_services_directory_itself_may_not_be_a_link()
    {
        Directory.CreateDirectory(_root);
        File.CreateSymbolicLink(Path.Combine(_root, "blog"), "/etc");
        Assert.Equal(ErrorCode.FileOutside, (await Assert.ThrowsAsync<McpException>(() => PushAsync("x"))).Code);
        Assert.Equal(ErrorCode.FileOutside, Assert.Throws<McpException>(() => _files.Open(s_blog, "passwd")).Code);
    }

    [Fact]
    public async Task A_push_that_breaks_off_leaves_the_old_file_and_nothing_else()
    {
        await PushAsync("app.toml", "old");
        await Assert.ThrowsAsync<IOException>(() => _files.PushAsync(s_blog, "app.toml", UnixFileMode.UserRead, BreaksOff(), default));
        Assert.Equal("old", await File.ReadAllTextAsync(Path.Combine(_root, "blog", "app.toml")));
        Assert.Single(Directory.GetFileSystemEntries(Path.Combine(_root, "blog")));
    }

    [Fact]
    public async Task Only_regular_files_are_pulled()
    {
        await PushAsync("conf/x");
        Assert.Equal(ErrorCode.FileFailed, Assert.Throws<McpException>(() => _files.Open(s_blog, "conf")).Code);
        Assert.Equal(ErrorCode.FileUnknown, Assert.Throws<McpException>(() => _files.Open(s_blog, "missing")).Code);
    }

    [Fact]
    public async Task No_path_writes_outside_of_the_services_directory()
    {
        var part = Gen.OneOf(Gen.Const(".."), Gen.Const("."), Gen.Const(""), Gen.Const("a"), Gen.String[0, 5]);
        await part.Array[1, 5].SampleAsync(async parts =>
        {
            try
            {
                await PushAsync(string.Join('/', parts));
            }
            catch (McpException)
            {
                // Refused is fine.
            }

            Assert.Equal(["srv"], Directory.GetFileSystemEntries(_outside).Select(Path.GetFileName).Append("srv").Distinct());
            if (Directory.Exists(_root))
                Assert.All(Directory.GetFileSystemEntries(_root), e => Assert.Equal("blog", Path.GetFileName(e)));
        }, iter: 500, threads: 1);
    }

    private Task<(string Path, long Bytes)> PushAsync(
        string path,
        string text = "x",
        UnixFileMode mode = UnixFileMode.UserRead | UnixFileMode.UserWrite) =>
        _files.PushAsync(s_blog, path, mode, Chunks(text), default);

    private static async IAsyncEnumerable<ReadOnlyMemory<byte>> Chunks(string text)
    {
        await Task.Yield();
        yield return Encoding.UTF8.GetBytes(text);
    }

    private static async IAsyncEnumerable<ReadOnlyMemory<byte>> BreaksOff()
    {
        await Task.Yield();
        yield return new byte[10];
        throw new IOException("the client went away");
    }
}
