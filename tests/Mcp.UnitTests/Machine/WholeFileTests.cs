using System.Runtime.InteropServices;
using Mcp.Machine;

namespace Mcp.UnitTests.Machine;

/// <summary>Alone, because a test of it changes the umask of the whole process.</summary>
[CollectionDefinition(nameof(WholeFileTests), DisableParallelization = true)]
[Collection(nameof(WholeFileTests))]
public sealed class WholeFileTests : IDisposable
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode Everybody = OwnerOnly | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-whole").FullName;

    private string Secret => Path.Combine(_directory, "token.key");

    private string Half => Secret + ".new";

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Theory]
    [InlineData(OwnerOnly)]
    [InlineData(Everybody)]
    public void Has_its_mode_before_its_first_byte_whatever_the_umask(UnixFileMode mode)
    {
        foreach (var mask in (uint[])[0, 0x3F, 0x1FF])
        {
            var before = Umask(mask);
            try
            {
                WholeFile.Replace(Secret, _ => Assert.Equal((mode, 0), (File.GetUnixFileMode(Half), new FileInfo(Half).Length)), mode);
            }
            finally
            {
                _ = Umask(before);
            }

            Assert.Equal(mode, File.GetUnixFileMode(Secret));
        }
    }

    [Fact]
    public void A_failure_leaves_the_old_one_whole_and_no_half()
    {
        WholeFile.Replace(Secret, "old");
        Assert.Throws<TimeoutException>(() => WholeFile.Replace(Secret, stream =>
        {
            stream.Write("ne"u8);
            throw new TimeoutException();
        }));
        Assert.Equal("old", File.ReadAllText(Secret));
        Assert.Equal([Secret], Directory.GetFileSystemEntries(_directory));
    }

    [Fact]
    public void The_old_one_is_read_until_the_new_one_is_whole()
    {
        WholeFile.Replace(Secret, "old");
        WholeFile.Replace(Secret, stream =>
        {
            stream.Write("new"u8);
            stream.Flush();
            Assert.Equal("old", File.ReadAllText(Secret));
        });
        Assert.Equal("new", File.ReadAllText(Secret));
    }

    [Fact]
    public void A_half_that_a_kill_left_is_replaced_and_whoever_has_it_open_reads_nothing_new()
    {
        File.WriteAllText(Half, "half");
        File.SetUnixFileMode(Half, Everybody);
        using var spy = File.Open(Half, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        WholeFile.Replace(Secret, "a secret");
        Assert.Equal("half", new StreamReader(spy).ReadToEnd());
        Assert.Equal(("a secret", OwnerOnly), (File.ReadAllText(Secret), File.GetUnixFileMode(Secret)));
        Assert.Equal([Secret], Directory.GetFileSystemEntries(_directory));
    }

    [Fact]
    public void A_link_in_its_place_is_replaced_and_not_followed()
    {
        var elsewhere = Path.Combine(_directory, "elsewhere");
        File.WriteAllText(elsewhere, "as it was");
        foreach (var link in (string[])[Half, Secret])
            File.CreateSymbolicLink(link, elsewhere);
        WholeFile.Replace(Secret, "a secret");
        Assert.Equal(
            ("as it was", "a secret", null),
            (File.ReadAllText(elsewhere), File.ReadAllText(Secret), new FileInfo(Secret).LinkTarget));
    }

    [Fact]
    public async Task Of_many_writers_at_a_time_the_last_ones_text_is_there_whole()
    {
        var texts = Enumerable.Range(0, 16).Select(i => new string((char)('a' + i), 50_000)).ToList();
        await Task.WhenAll(texts.Select(t => Task.Run(() => WholeFile.Replace(Secret, t))));
        Assert.Contains(await File.ReadAllTextAsync(Secret), texts);
        Assert.Equal([Secret], Directory.GetFileSystemEntries(_directory));
    }

    [Fact]
    public void A_new_one_never_overwrites()
    {
        WholeFile.Create(Secret, "first");
        Assert.Throws<IOException>(() => WholeFile.Create(Secret, "second"));
        Assert.Equal(("first", OwnerOnly), (File.ReadAllText(Secret), File.GetUnixFileMode(Secret)));
    }

    [DllImport("libc", EntryPoint = "umask")]
    private static extern uint Umask(uint mask);
}
