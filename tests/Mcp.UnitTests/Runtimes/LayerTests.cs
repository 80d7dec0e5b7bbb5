using System.Formats.Tar;
using Mcp.Model;
using Mcp.Runtimes.Images;
using Mcp.Runtimes.Qemu.Guests.Linux;

namespace Mcp.UnitTests.Runtimes;

public sealed class LayerTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-layer").FullName;

    private string Root => Path.Combine(_directory, "rootfs");

    public LayerTests() => Directory.CreateDirectory(Root);

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Theory]
    [InlineData("../evil", null)]
    [InlineData("../../../../../../tmp/evil", null)]
    [InlineData("/evil", null)]
    [InlineData("link/evil", "..")]
    [InlineData("link/evil", "/")]
    [InlineData("link/evil", "../../..")]
    [InlineData("link", "../evil")]
    public async Task Nothing_is_written_outside_the_tree(string file, string? link)
    {
        List<TarEntry> entries = link is null ? [] : [Link("link", link)];
        entries.Add(Text(file, "evil"));
        await UnpackAsync([.. entries]);
        Assert.Equal([Root], Directory.GetFileSystemEntries(_directory));
        Assert.Contains(Directory.EnumerateFiles(Root, "*", SearchOption.AllDirectories), f => File.ReadAllText(f) == "evil");
    }

    [Fact]
    public async Task A_files_capabilities_are_kept()
    {
        Assert.SkipUnless(Environment.UserName == "root" && File.Exists("/usr/sbin/getcap"), "needs root and the package libcap2-bin");
        var entry = new PaxTarEntry(TarEntryType.RegularFile, "server", new Dictionary<string, string> { ["SCHILY.xattr.security.capability"] = "\u0001\0\0\u0002\0\u0004\0\0\0\0\0\0\0\0\0\0\0\0\0\0" }) { DataStream = new MemoryStream([1]) };
        await UnpackAsync(entry);
        using var getcap = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo("/usr/sbin/getcap", [Path.Combine(Root, "server")]) { RedirectStandardOutput = true })!;
        Assert.Contains("cap_net_bind_service=ep", await getcap.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_hard_link_leads_to_a_file_of_the_tree_only()
    {
        await File.WriteAllTextAsync(Path.Combine(_directory, "secret"), "secret");
        await Assert.ThrowsAsync<IOException>(() => UnpackAsync(new PaxTarEntry(TarEntryType.HardLink, "mine") { LinkName = "../secret" }));
    }

    [Fact]
    public async Task A_later_layer_removes_replaces_and_hides()
    {
        await UnpackAsync(Text("a/old", "1"), Text("a/kept", "1"), Text("b/x", "1"), Text("b/y", "1"), Text("c", "1"));
        await UnpackAsync(Text("a/.wh.old", ""), Text("b/new", "2"), Text("b/.wh..wh..opq", ""), new PaxTarEntry(TarEntryType.Directory, "c/"), Text("c/inside", "2"));
        Assert.Equal(["a/kept", "b/new", "c/inside"], Directory.EnumerateFiles(Root, "*", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(Root, f)).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_link_loop_is_an_error_and_no_hang()
    {
        await UnpackAsync(Link("a", "b"), Link("b", "a"));
        Assert.Throws<IOException>(() => RootedPath.Resolve(Root, "a/x", followLast: false));
    }

    [Fact]
    public async Task A_unikernels_program_is_found_by_PATH_and_links_and_a_script_is_refused_with_advice()
    {
        await UnpackAsync(Text("usr/bin/real", Elf(62)), Link("bin", "usr/bin"), Link("usr/bin/server", "/usr/bin/real"), Text("usr/bin/arm", Elf(183)), Text("start.sh", "#!/bin/sh\necho no"));
        var image = new StoredImage("d", _directory, ["PATH=/nowhere:/bin"], [], [], "/", "");
        Assert.Equal("/usr/bin/real", ElfFinder.Find(image, "server"));
        Assert.Contains("microvm", Assert.Throws<McpException>(() => ElfFinder.Find(image, "/start.sh")).Hint, StringComparison.Ordinal);
        Assert.Contains("another processor", Assert.Throws<McpException>(() => ElfFinder.Find(image, "arm")).Message, StringComparison.Ordinal);
        Assert.Contains("not in the image", Assert.Throws<McpException>(() => ElfFinder.Find(image, "../../../etc/passwd")).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("plain", "'plain'")]
    [InlineData("it's $HOME `x` \"y\" \n", "'it'\\''s $HOME `x` \"y\" \n'")]
    public void A_quoted_word_is_one_word(string text, string quoted) => Assert.Equal(quoted, GuestScript.Quote(text));

    private static string Elf(byte machine) => "\u007fELF" + new string('\0', 14) + (char)machine + new string('\0', 60);

    private static PaxTarEntry Link(string name, string target) => new(TarEntryType.SymbolicLink, name) { LinkName = target };

    private static PaxTarEntry Text(string name, string text) => new(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(System.Text.Encoding.Latin1.GetBytes(text)) };

    private async Task UnpackAsync(params TarEntry[] entries)
    {
        using var tar = new MemoryStream();
        await using (var writer = new TarWriter(tar, TarEntryFormat.Pax, leaveOpen: true))
        {
            foreach (var entry in entries)
                await writer.WriteEntryAsync(entry);
        }

        tar.Position = 0;
        await new Layer(Root).UnpackAsync(tar, default);
    }
}
