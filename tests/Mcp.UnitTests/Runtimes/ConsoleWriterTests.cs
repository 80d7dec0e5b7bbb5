using System.Text;
using Mcp.Runtimes;
using Mcp.Runtimes.Logs;
using Mcp.Runtimes.Qemu;

namespace Mcp.UnitTests.Runtimes;

/// <summary>A serial line to a log.</summary>
public sealed class ConsoleWriterTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-console").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task Whatever_comes_in_pieces_is_given_again_as_lines()
    {
        var text = $"one\r\ntwo\rtwo\r\n\r\n{new string('€', 40_000)}\r\nno end";
        using (var writer = Writer(1024 * 1024))
        {
            foreach (var piece in Encoding.UTF8.GetBytes(text).Chunk(1000))
                writer.Write(piece);
        }

        Assert.Equal(["one", "two\rtwo", "", new string('€', 40_000), "no end"], await LinesAsync());
        using (var writer = Writer(1024 * 1024))
            writer.Write("again\n"u8);
        Assert.Equal("again", (await LinesAsync())[^1]);
    }

    [Fact]
    public async Task A_keeper_that_was_killed_in_the_middle_of_a_record_spoils_no_line_of_the_next_run()
    {
        using (var writer = Writer(1024 * 1024))
            writer.Write("one\n"u8);
        await File.AppendAllTextAsync(new LogFiles(_directory).File(1), "2026-11-28T17:04:45.1234567+00:00 stdout P hal");
        using (var writer = Writer(1024 * 1024))
            writer.Write("two\n"u8);
        Assert.Equal(["one", "hal", "two"], await LinesAsync());
    }

    [Fact]
    public async Task Where_no_next_file_can_be_made_the_guest_goes_on_and_so_does_its_log_later()
    {
        var logs = Path.Combine(_directory, "logs");
        var (aside, most) = (logs + ".aside", 100);
        using var writer = new ConsoleWriter(logs, Record(most), TimeProvider.System);
        writer.Write(Encoding.ASCII.GetBytes(new string('x', most) + "\n"));
        Directory.Move(logs, aside);
        await File.WriteAllTextAsync(logs, "in the way");
        Assert.ThrowsAny<IOException>(() => writer.Write("lost\n"u8));
        Assert.ThrowsAny<IOException>(() => writer.Write("lost\n"u8));
        File.Delete(logs);
        Directory.Move(aside, logs);
        writer.Write("there again\n"u8);
        Assert.Equal([new string('x', most), "there again"], await LinesAsync(logs));
    }

    private ConsoleWriter Writer(long most) => new(_directory, Record(most), TimeProvider.System);

    private static VmRecord Record(long most) => new()
    {
        Name = "a.web.1",
        Image = "",
        Digest = "",
        Definition = "",
        SpecHash = "",
        Ports = [],
        Program = [],
        Beside = [],
        ReadOnly = new Dictionary<string, string>(),
        ExitFrom = ExitCodeFrom.Disk,
        Own = [],
        Limits = VmLimits.Of(1, 1),
        ConsoleBytes = most,
        ConsoleFiles = 3,
    };

    private async Task<List<string>> LinesAsync(string? directory = null)
    {
        var lines = new List<string>();
        var files = new LogFiles(directory ?? _directory);
        await foreach (var line in LogReader.ReadAsync(files, new LogOptions(), _ => ValueTask.FromResult(false), default))
            lines.Add(line.Text);
        return lines;
    }
}
