using System.Text;
using Mcp.Runtimes;
using Mcp.Runtimes.Logs;

namespace Mcp.UnitTests.Runtimes;

/// <summary>Which lines somebody gets who asks for some.</summary>
public sealed class LogReaderTests : IDisposable
{
    private static readonly DateTimeOffset s_written = new(2026, 11, 28, 17, 4, 45, TimeSpan.Zero);
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-logreader").FullName;

    private string Live => Path.Combine(_directory, "live.log");

    private LogFiles Files => new(_directory, Live);

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task The_pieces_of_a_long_line_are_found_and_counted_as_one()
    {
        Write("stdout F", "before");
        WriteLong('x', "needle");
        Write("stdout F", "after");
        Assert.Equal(["before", "after"], await TextsAsync(new LogOptions { Matches = t => !t.StartsWith('x') }));
        var found = await ReadAsync(new LogOptions { Matches = t => t.StartsWith('x') });
        Assert.Equal([true, true, false], found.Select(l => l.Continues));
        Assert.EndsWith("needle", found[^1].Text, StringComparison.Ordinal);
        Assert.Equal(4, (await ReadAsync(new LogOptions(Tail: 2))).Count);
        Assert.Single(await ReadAsync(new LogOptions(Tail: 1)));
    }

    [Fact]
    public async Task A_reader_that_does_not_follow_ends_where_the_log_was_when_it_came()
    {
        Write("stdout F", "line 0");
        var seen = 0;
        await foreach (var line in LogReader.ReadAsync(Files, new LogOptions(), _ => ValueTask.FromResult(true), default))
        {
            Write("stdout F", $"line {++seen}");
            Assert.InRange(seen, 1, 1);
        }

        Assert.Equal(2, (await ReadAsync(new LogOptions())).Count);
    }

    [Fact]
    public async Task A_line_of_a_program_that_was_started_again_just_now_is_one()
    {
        Write("stdout F", "bye");
        var asked = 0;
        var lines = new List<string>();
        await foreach (var line in LogReader.ReadAsync(Files, new LogOptions(Follow: true), WritingAsync, default))
            lines.Add(line.Text);
        Assert.Equal(["bye", "hello"], lines);

        ValueTask<bool> WritingAsync(CancellationToken ct)
        {
            // It has ended when it is asked for; it is started before the log is read.
            if (asked == 0)
                Write("stdout P", "hel");
            if (asked == 1)
                Write("stdout F", "lo");
            return ValueTask.FromResult(asked++ == 1);
        }
    }

    [Fact]
    public async Task Followed_what_comes_is_new_whatever_the_clocks_say()
    {
        Write("stdout F", "old");
        var asked = 0;
        var lines = new List<string>();
        var options = new LogOptions(Follow: true, Since: s_written.AddHours(1));
        await foreach (var line in LogReader.ReadAsync(Files, options, WritingAsync, default))
            lines.Add(line.Text);
        Assert.Equal(["new"], lines);

        ValueTask<bool> WritingAsync(CancellationToken ct)
        {
            if (asked == 1)
                Write("stdout F", "new");
            return ValueTask.FromResult(asked++ == 0);
        }
    }

    [Fact]
    public async Task Followed_the_last_lines_come_first_and_then_all_that_comes()
    {
        foreach (var i in Enumerable.Range(0, 5))
            Write("stdout F", $"line {i}");
        var asked = 0;
        var lines = new List<string>();
        await foreach (var line in LogReader.ReadAsync(Files, new LogOptions(Follow: true, Tail: 2), WritingAsync, default))
            lines.Add(line.Text);
        Assert.Equal(["line 3", "line 4", "line 5", "line 6"], lines);

        ValueTask<bool> WritingAsync(CancellationToken ct)
        {
            if (asked > 0)
                Write("stdout F", $"line {4 + asked}");
            return ValueTask.FromResult(asked++ < 2);
        }
    }

    [Fact]
    public async Task A_file_that_can_get_no_number_is_not_removed_when_its_program_ends()
    {
        Write("stdout F", "one");
        var blocked = Path.Combine(_directory, "blocked");
        await File.WriteAllTextAsync(blocked, "no directory");
        new LogFiles(blocked, Live).EndRun(s_written, most: 1);
        Assert.Equal(["one"], await TextsAsync(new LogOptions()));
    }

    [Fact]
    public void A_log_whose_component_went_counts_from_then_and_an_empty_one_has_no_bytes()
    {
        var (store, name) = (new LogStore(_directory), Mcp.Model.Names.InstanceName.Parse("blog.web.1"));
        var files = store.Live(name);
        files.Create();
        File.WriteAllText(files.Live!, "");
        File.SetLastWriteTimeUtc(files.Live!, s_written.UtcDateTime.AddYears(-1));
        Assert.Equal(0, Assert.Single(store.All()).Bytes);
        Assert.True(store.MarkGone(name, isGone: true));
        Assert.False(store.MarkGone(name, isGone: true));
        Assert.InRange(store.All()[0].Written, TimeProvider.System.GetUtcNow().AddMinutes(-1), DateTimeOffset.MaxValue);
        Assert.False(store.MarkGone(name, isGone: false));
        Assert.True(store.MarkGone(name, isGone: true));
        store.Forget(name);
        Assert.Empty(store.All());
    }

    private void Write(string head, string text) =>
        File.AppendAllText(Live, $"{s_written:O} {head} {text}\n");

    // Of more than two MiB.
    private void WriteLong(char c, string end)
    {
        var records = new StringBuilder();
        for (var i = 0; i < 270; i++)
            records.Append(System.Globalization.CultureInfo.InvariantCulture, $"{s_written:O} stdout P {new string(c, 8000)}\n");
        File.AppendAllText(Live, records.ToString());
        Write("stdout F", end);
    }

    private async Task<List<string>> TextsAsync(LogOptions options) => [.. (await ReadAsync(options)).Select(l => l.Text)];

    private async Task<List<LogLine>> ReadAsync(LogOptions options)
    {
        var lines = new List<LogLine>();
        await foreach (var line in LogReader.ReadAsync(Files, options, _ => ValueTask.FromResult(false), default))
            lines.Add(line);
        return lines;
    }
}
