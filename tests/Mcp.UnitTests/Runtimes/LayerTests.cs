using System.Formats.Tar;
using Mcp.Model.Errors;
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
        var entry = new PaxTarEntry(
            TarEntryType.RegularFile,
            "server",
            new Dictionary<string, string> { ["SCHILY.xattr.security.capability"] = "\u0001\0\0\u0002\0\u0004\0\0\0\0\0\0\0\0\0\0\0\0\0\0" })
        { DataStream = new MemoryStream([1]) };
        await UnpackAsync(entry);
        using var getcap = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo(
            "/usr/sbin/getcap",
            [Path.Combine(Root, "server")])
        { RedirectStandardOutput = true })!;
        Assert.Contains(
            "cap_net_bind_service=ep",
            await getcap.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_hard_link_leads_to_a_file_of_the_tree_only()
    {
        await File.WriteAllTextAsync(Path.Combine(_directory, "secret"), "secret");
        await Assert.ThrowsAsync<McpException>(() => UnpackAsync(new PaxTarEntry(
            TarEntryType.HardLink,
            "mine")
        { LinkName = "../secret" }));
    }

    [Theory]
    [InlineData("x/..")]
    [InlineData("x/../.")]
    [InlineData("..")]
    public async Task Nothing_takes_the_place_of_the_tree_itself(string name)
    {
        await File.WriteAllTextAsync(Path.Combine(_directory, "outside"), "mine");
        var e = await Assert.ThrowsAsync<McpException>(() => UnpackAsync(Link(name, _directory), Text("outside", "evil")));
        Assert.Contains("in the place of the root directory", e.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<McpException>(() => UnpackAsync(Text(name, "evil")));
        Assert.Null(new DirectoryInfo(Root).LinkTarget);
        Assert.Equal("mine", await File.ReadAllTextAsync(Path.Combine(_directory, "outside")));
    }

    [Theory]
    [InlineData(".wh.")]
    [InlineData(".wh..")]
    [InlineData(".wh...")]
    [InlineData("a/.wh...")]
    public async Task A_layer_removes_names_only_and_neither_the_tree_nor_what_is_beside_it(string name)
    {
        await File.WriteAllTextAsync(Path.Combine(_directory, "beside"), "mine");
        await UnpackAsync(Text("a/kept", "1"));
        Assert.Contains(
            "which is not a name",
            (await Assert.ThrowsAsync<McpException>(() => UnpackAsync(Text(name, "")))).Message,
            StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(Root, "a", "kept")));
        Assert.Equal("mine", await File.ReadAllTextAsync(Path.Combine(_directory, "beside")));
    }

    [Theory]
    [InlineData('x', "13000000000", "a header of 1476395008 bytes; 1048576 are allowed")]
    [InlineData('g', "13000000000", "a header of 1476395008 bytes; 1048576 are allowed")]
    [InlineData('x', "\u0080\0\0\0\0\0\0\0Xaaa", "a header of a size that cannot be read")]
    [InlineData('L', "13000000000", "a header of 1476395008 bytes; 65536 are allowed")]
    [InlineData('K', "13000000000", "a header of 1476395008 bytes; 65536 are allowed")]
    [InlineData('S', "00000000000", "a sparse file")]
    public async Task A_header_too_large_for_memory_is_refused_before_it_is_read(char type, string size, string says)
    {
        // It goes on for ever, so that whoever reads it runs out of memory.
        using var tar = new Zeros(Header("name", type, size));
        var e = await Assert.ThrowsAsync<McpException>(() => new Layer(Root).UnpackAsync(tar, default));
        Assert.Contains(says, e.Message, StringComparison.Ordinal);
        Assert.InRange(tar.Given, 512, 4096);
    }

    [Fact]
    public async Task Headers_before_headers_are_refused_when_there_are_too_many()
    {
        using var tar = new MemoryStream([.. Enumerable.Range(0, 10_000)
            .SelectMany(_ => (byte[])[.. Header("name", 'L', "00000000004"), .. "abc"u8, .. new byte[509]])]);
        await Assert.ThrowsAsync<McpException>(() => new Layer(Root).UnpackAsync(tar, default));
        Assert.InRange(tar.Position, 0, 20 * 1024);
    }

    [Fact]
    public async Task A_file_whose_headers_say_two_sizes_hides_no_header()
    {
        // By the attributes the file is empty, by its own header a terabyte: what follows is a header for whoever believes the attributes.
        var attributes = "10 size=0\n"u8.ToArray();
        byte[] before =
        [
            .. Header("name", 'x', "00000000012"),
            .. attributes,
            .. new byte[512 - attributes.Length],
            .. Header("file", '0', "77777777777"),
        ];
        using var tar = new Zeros([.. before, .. Header("name", 'L', "13000000000")]);
        await Assert.ThrowsAsync<McpException>(() => new Layer(Root, Allowance(1024 * 1024)).UnpackAsync(tar, default));
        Assert.InRange(tar.Given, 512, 2 * 1024 * 1024);
    }

    [Fact]
    public async Task A_sparse_file_is_refused_and_not_taken_for_its_map()
    {
        var entry = new PaxTarEntry(
            TarEntryType.RegularFile,
            "GNUSparseFile.0/a",
            new Dictionary<string, string>
            {
                ["GNU.sparse.major"] = "1",
                ["GNU.sparse.name"] = "a",
            })
        { DataStream = new MemoryStream([1]) };
        Assert.Contains(
            "a sparse file",
            (await Assert.ThrowsAsync<McpException>(() => UnpackAsync(entry))).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Files_directories_and_hard_links_count()
    {
        Task Unpack(long bytes, long entries, params TarEntry[] all) =>
            new Layer(Root, Allowance(bytes, entries)).UnpackAsync(new MemoryStream(ScriptedRegistry.Tar(all)), default);
        var many = Enumerable.Range(0, 20).Select(i => Text($"f{i}", "")).ToArray();
        Assert.Equal(ErrorCode.ImageTooLarge, (await Assert.ThrowsAsync<McpException>(() => Unpack(1_000_000, 10, many))).Code);
        var deep = await Assert.ThrowsAsync<McpException>(() => Unpack(
            1_000_000,
            100,
            Text(string.Join('/', Enumerable.Repeat("d", 200)), "")));
        Assert.Equal("it has more than 100 files", deep.Message);
        var links = Enumerable.Range(0, 20)
            .Select(i => new PaxTarEntry(TarEntryType.HardLink, $"l{i}") { LinkName = "large" })
            .Prepend<TarEntry>(Text("large", new string('x', 100_000)))
            .ToArray();
        Assert.Equal(ErrorCode.ImageTooLarge, (await Assert.ThrowsAsync<McpException>(() => Unpack(1_000_000, 100, links))).Code);
        Assert.InRange(Directory.GetFileSystemEntries(Root).Length, 1, 100);
    }

    [Fact]
    public async Task Long_names_and_attributes_of_the_usual_size_are_taken()
    {
        var name = string.Join('/', Enumerable.Repeat(new string('n', 200), 10));
        using var tar = new MemoryStream();
        await using (var writer = new TarWriter(tar, TarEntryFormat.Gnu, leaveOpen: true))
        {
            await writer.WriteEntryAsync(new GnuTarEntry(
                TarEntryType.RegularFile,
                name)
            { DataStream = new MemoryStream("long"u8.ToArray()) });
        }

        tar.Position = 0;
        await new Layer(Root).UnpackAsync(tar, default);
        Assert.Equal("long", await File.ReadAllTextAsync(Path.Combine(Root, name)));
        await UnpackAsync(new PaxTarEntry(
            TarEntryType.RegularFile,
            name,
            new Dictionary<string, string> { ["SCHILY.xattr.user.large"] = new('v', 60_000) })
        { DataStream = new MemoryStream("pax"u8.ToArray()) });
        Assert.Equal("pax", await File.ReadAllTextAsync(Path.Combine(Root, name)));
    }

    [Fact]
    public async Task A_later_layer_removes_replaces_and_hides()
    {
        await UnpackAsync(Text("a/old", "1"), Text("a/kept", "1"), Text("b/x", "1"), Text("b/y", "1"), Text("c", "1"));
        await UnpackAsync(
            Text("a/.wh.old", ""),
            Text("b/new", "2"),
            Text("b/.wh..wh..opq", ""),
            new PaxTarEntry(TarEntryType.Directory, "c/"),
            Text("c/inside", "2"));
        Assert.Equal(
            ["a/kept", "b/new", "c/inside"],
            Directory.EnumerateFiles(Root, "*", SearchOption.AllDirectories)
                .Select(f => Path.GetRelativePath(Root, f))
                .Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_link_loop_is_an_error_and_no_hang()
    {
        await UnpackAsync(Link("a", "b"), Link("b", "a"));
        Assert.Throws<IOException>(() => RootedPath.Resolve(Root, "a/x", followLast: false));
    }

    [Fact]
    public async Task A_disk_is_made_of_the_tree_alone_whatever_its_links_lead_to()
    {
        await UnpackAsync(Text("file", "1"), Link("all", "/"), Link("round", "."), Link("and-round", "."), Link("and-round-again", "."));
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        var disk = await RootDisk.MakeAsync(new StoredImage { Digest = "d", Directory = _directory }, limit.Token);
        Assert.InRange(new FileInfo(disk).Length, 1024 * 1024, 16 * 1024 * 1024);
    }

    [Fact]
    public async Task A_unikernels_program_is_found_by_PATH_and_links_and_a_script_is_refused_with_advice()
    {
        await UnpackAsync(
            Text("usr/bin/real", Elf(62)),
            Link("bin", "usr/bin"),
            Link("usr/bin/server", "/usr/bin/real"),
            Text("usr/bin/arm", Elf(183)),
            Text("start.sh", "#!/bin/sh\necho no"));
        var image = new StoredImage { Digest = "d", Directory = _directory, Env = ["PATH=/nowhere:/bin"] };
        Assert.Equal("/usr/bin/real", ElfFinder.Find(image, "server"));
        Assert.Contains("microvm", Assert.Throws<McpException>(() => ElfFinder.Find(image, "/start.sh")).Hint, StringComparison.Ordinal);
        Assert.Contains(
            "another processor",
            Assert.Throws<McpException>(() => ElfFinder.Find(image, "arm")).Message,
            StringComparison.Ordinal);
        Assert.Contains(
            "not in the image",
            Assert.Throws<McpException>(() => ElfFinder.Find(image, "../../../etc/passwd")).Message,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("plain", "'plain'")]
    [InlineData("it's $HOME `x` \"y\" \n", "'it'\\''s $HOME `x` \"y\" \n'")]
    public void A_quoted_word_is_one_word(string text, string quoted) => Assert.Equal(quoted, GuestScript.Quote(text));

    private Allowance Allowance(long bytes, long entries = 100) => new(new ImageLimits(bytes, entries), new DiskRoom(Root));

    private static byte[] Header(string name, char type, string size)
    {
        var header = new byte[512];
        System.Text.Encoding.Latin1.GetBytes(name).CopyTo(header, 0);
        "0000644\00000000\00000000\0"u8.CopyTo(header.AsSpan(100));
        System.Text.Encoding.Latin1.GetBytes(size).CopyTo(header, 124);
        "00000000000\0        "u8.CopyTo(header.AsSpan(136));
        header[156] = (byte)type;
        "ustar\000"u8.CopyTo(header.AsSpan(257));
        System.Text.Encoding.ASCII.GetBytes($"{Convert.ToString(header.Sum(b => b), 8).PadLeft(6, '0')}\0 ").CopyTo(header, 148);
        return header;
    }

    private static string Elf(byte machine) => "\u007fELF" + new string('\0', 14) + (char)machine + new string('\0', 60);

    private static PaxTarEntry Link(string name, string target) => new(TarEntryType.SymbolicLink, name) { LinkName = target };

    private static PaxTarEntry Text(string name, string text) =>
        new(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(System.Text.Encoding.Latin1.GetBytes(text)) };

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

    /// <summary>So much, and then zeros for ever.</summary>
    private sealed class Zeros(byte[] first) : Stream
    {
        public long Given { get; private set; }

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override int Read(byte[] buffer, int offset, int count)
        {
            var part = (int)Math.Clamp(first.Length - Given, 0, count);
            first.AsSpan((int)Math.Min(Given, first.Length), part).CopyTo(buffer.AsSpan(offset));
            buffer.AsSpan(offset + part, count - part).Clear();
            Given += count;
            return count;
        }

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
