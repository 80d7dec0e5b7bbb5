using System.Globalization;
using System.Text;
using Mcp.Runtimes;
using Mcp.Runtimes.Logs;

namespace Mcp.UnitTests.Runtimes;

/// <summary>Files as conmon writes them, to lines.</summary>
public sealed class LogFilesTests : IDisposable
{
    private const string Stamp = "2026-11-28T17:04:45.123456789+00:00";
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-logs").FullName;

    private string Live => Path.Combine(_directory, "live.log");

    private LogFiles Files => new(_directory, Live);

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task Parts_are_joined_by_stream_and_characters_that_were_cut_are_whole()
    {
        var euro = Encoding.UTF8.GetBytes("€");
        Write("stdout P ", [.. "a "u8, euro[0]]);
        Write("stderr F ", "wrong"u8.ToArray());
        Write("stdout P ", [euro[1]]);
        Write("stdout F ", [euro[2], .. " b"u8]);
        Write("stdout F ", []);
        Write("stdout F ", [0, 27, (byte)'[', 255, (byte)'x', (byte)'\r']);
        Assert.Equal([(true, "wrong"), (false, "a € b"), (false, ""), (false, "\0\e[\uFFFDx\r")], await LinesAsync());
    }

    [Fact]
    public async Task Times_are_those_of_the_first_part()
    {
        await File.WriteAllTextAsync(Live, "2026-11-28T17:04:45.5+01:00 stdout P a\n2026-11-28T17:04:46.5+01:00 stdout F b\n");
        var line = Assert.Single(await ReadAsync(new LogOptions()));
        Assert.Equal(new DateTimeOffset(2026, 11, 28, 16, 4, 45, 500, TimeSpan.Zero), line.Time);
    }

    [Fact]
    public async Task What_older_versions_wrote_of_VMs_is_read_too()
    {
        const string at = "2026-11-28T17:04:45.1234567+00:00";
        await File.WriteAllTextAsync(Files.File(1), $"{at} listening on 8080\n{at} stdout is full\n");
        Assert.Equal([(false, "listening on 8080"), (false, "stdout is full")], await LinesAsync());
    }

    [Fact]
    public async Task What_a_crash_left_is_no_line_and_spoils_none()
    {
        Write("stdout F ", "one"u8.ToArray());
        await File.AppendAllTextAsync(Live, "2026-11-28T1\n\0\0\0\n");
        await File.AppendAllTextAsync(Live, $"{Stamp} stdout P half of a rec");
        Assert.Equal([(false, "one")], await LinesAsync());
        // It is started again.
        Files.EndRun(TimeProvider.System.GetUtcNow(), long.MaxValue);
        Write("stdout F ", "two"u8.ToArray());
        Assert.Equal([(false, "one"), (false, "half of a rec"), (false, "two")], await LinesAsync());
    }

    [Fact]
    public async Task What_had_no_end_is_a_line_of_its_own_run()
    {
        Write("stdout P ", "bye"u8.ToArray());
        Assert.Equal([(false, "bye")], await LinesAsync());
        Files.EndRun(TimeProvider.System.GetUtcNow(), long.MaxValue);
        Files.EndRun(TimeProvider.System.GetUtcNow(), long.MaxValue);
        Write("stdout F ", "hello"u8.ToArray());
        Assert.Equal([(false, "bye"), (false, "hello")], await LinesAsync());
    }

    [Fact]
    public async Task A_line_of_more_than_a_MiB_comes_in_pieces_that_give_it_again()
    {
        var text = string.Concat(Enumerable.Repeat("0123456789€", 250_000));
        foreach (var part in Encoding.UTF8.GetBytes(text).Chunk(8000))
            Write("stdout P ", part);
        Write("stdout F ", "!"u8.ToArray());
        var lines = await ReadAsync(new LogOptions());
        Assert.Equal(text + "!", string.Concat(lines.Select(l => l.Text)));
        Assert.Equal([true, true, true, false], lines.Select(l => l.Continues));
        Assert.All(lines, l => Assert.InRange(Encoding.UTF8.GetByteCount(l.Text), 1, LogLines.Longest));
    }

    [Fact]
    public async Task A_file_that_conmon_replaces_keeps_its_lines_and_a_line_over_two_files_is_one()
    {
        Write("stdout F ", "one"u8.ToArray());
        Write("stdout P ", "tw"u8.ToArray());
        Files.Take();
        Rotate();
        Write("stdout F ", "o"u8.ToArray());
        Assert.Equal([(false, "one"), (false, "two")], await LinesAsync());
    }

    [Fact]
    public async Task Only_the_oldest_files_go_and_what_is_left_begins_with_a_whole_line()
    {
        for (var i = 0; i < 10; i++)
        {
            Write("stdout F ", Encoding.ASCII.GetBytes($"end of {i - 1}"));
            Write("stdout F ", Encoding.ASCII.GetBytes($"line {i}"));
            Files.Take();
            Rotate();
        }

        Assert.Equal(
            ["line 8", "end of 8", "line 9"],
            (await LinesAsync()).Select(l => l.Text));
        Assert.Equal(LogFiles.Kept, Directory.GetFiles(_directory, "console.*.log").Length);
    }

    [Fact]
    public async Task A_follower_reads_every_file_to_its_end_also_when_it_goes_meanwhile()
    {
        var writing = true;
        var seen = new List<string>();
        Write("stdout F ", "line 0"u8.ToArray());
        var following = Task.Run(async () =>
        {
            var options = new LogOptions(Follow: true);
            await foreach (var line in LogReader.ReadAsync(Files, options, _ => ValueTask.FromResult(Volatile.Read(ref writing)), default))
            {
                lock (seen)
                    seen.Add(line.Text);
            }
        });
        for (var i = 1; i < 100; i++)
        {
            Write("stdout F ", Encoding.ASCII.GetBytes($"line {i}"));
            if (i % 10 != 0)
                continue;
            Files.Take();
            Rotate();
            while (Count() < i + 1)
                await Task.Delay(10);
        }

        Write("stderr P ", "the last"u8.ToArray());
        Volatile.Write(ref writing, false);
        await following.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Equal([.. Enumerable.Range(0, 100).Select(i => $"line {i}"), "the last"], seen);

        int Count()
        {
            lock (seen)
                return seen.Count;
        }
    }

    [Fact]
    public void Where_a_reader_cannot_keep_up_it_is_told()
    {
        Write("stdout F ", "line 0"u8.ToArray());
        Files.Take();
        using var cursor = new LogCursor(Files);
        Assert.Equal(["line 0"], cursor.Read()!.Select(l => l.Text));
        for (var i = 1; i < 10; i++)
        {
            Rotate();
            Write("stdout F ", Encoding.ASCII.GetBytes($"line {i}"));
            Files.Take();
        }

        var lines = cursor.Read()!;
        Assert.Contains("lines are missing here", Assert.Single(lines).Text, StringComparison.Ordinal);
        Assert.True(lines[0].IsNotice);
        Assert.Equal(["line 8"], cursor.Read()!.Select(l => l.Text));
    }

    [Fact]
    public async Task One_that_is_started_again_and_again_does_not_grow_for_ever()
    {
        for (var i = 0; i < 50; i++)
        {
            Files.EndRun(TimeProvider.System.GetUtcNow(), 500);
            Write("stdout F ", Encoding.ASCII.GetBytes($"run {i}"));
        }

        Files.Take();
        Assert.InRange(Directory.GetFiles(_directory, "console.*.log").Sum(f => new FileInfo(f).Length), 1, 4 * 600);
        var kept = (await LinesAsync()).Select(l => int.Parse(l.Text.Split(' ')[1], CultureInfo.InvariantCulture)).ToList();
        Assert.Equal(Enumerable.Range(50 - kept.Count, kept.Count), kept);
    }

    [Fact]
    public async Task Tail_counts_lines_and_not_parts_of_them()
    {
        Write("stdout F ", "one"u8.ToArray());
        Write("stdout P ", "tw"u8.ToArray());
        Write("stdout F ", "o"u8.ToArray());
        Write("stdout F ", "three"u8.ToArray());
        Assert.Equal(["two", "three"], (await ReadAsync(new LogOptions(Tail: 2))).Select(l => l.Text));
        var withW = new LogOptions(Tail: 1) { Matches = t => t.Contains('w', StringComparison.Ordinal) };
        Assert.Equal(["two"], (await ReadAsync(withW)).Select(l => l.Text));
        Assert.Empty(await ReadAsync(new LogOptions(Tail: 0)));
    }

    [Fact]
    public void Halves_of_two_lines_around_a_gap_are_not_joined()
    {
        Write("stdout P ", "half"u8.ToArray());
        Files.Take();
        using var cursor = new LogCursor(Files);
        Assert.Empty(cursor.Read()!);
        for (var i = 1; i < 10; i++)
        {
            Rotate();
            Write("stdout F ", "rest"u8.ToArray());
            Write("stderr F ", "whole"u8.ToArray());
            Files.Take();
        }

        Assert.Equal(["half"], cursor.Read()!.Select(l => l.Text));
        Assert.Equal([true, false], cursor.Read()!.Select(l => l.IsNotice));
    }

    [Fact]
    public async Task A_gap_is_told_whatever_is_asked_for()
    {
        Write("stdout F ", "line 0"u8.ToArray());
        var (isFirst, seen) = (true, new List<string>());
        var options = new LogOptions(Follow: true) { Matches = t => t.StartsWith("line", StringComparison.Ordinal) };
        await foreach (var line in LogReader.ReadAsync(Files, options, _ => ValueTask.FromResult(isFirst), default))
        {
            seen.Add(line.Text);
            for (var i = 1; isFirst && i < 10; i++)
            {
                Rotate();
                Write("stdout F ", "rest"u8.ToArray());
                Write("stdout F ", Encoding.ASCII.GetBytes($"line {i}"));
                Files.Take();
            }

            isFirst = false;
        }

        Assert.Contains("lines are missing here", seen[1], StringComparison.Ordinal);
        Assert.Equal(["line 0", "line 7", "line 8", "line 9"], seen.Where((_, i) => i != 1));
    }

    [Fact]
    public async Task Of_nothing_there_is_nothing() => Assert.Empty(await ReadAsync(new LogOptions()));

    private void Write(string head, byte[] text)
    {
        using var file = new FileStream(Live, FileMode.Append);
        file.Write([.. Encoding.ASCII.GetBytes($"{Stamp} {head}"), .. text, (byte)'\n']);
    }

    // reopen_k8s_file
    private void Rotate()
    {
        File.WriteAllText(Live + ".tmp", "");
        File.Move(Live + ".tmp", Live, overwrite: true);
    }

    private async Task<List<(bool Stderr, string Text)>> LinesAsync() =>
        [.. (await ReadAsync(new LogOptions())).Select(l => (l.Stderr, l.Text))];

    private async Task<List<LogLine>> ReadAsync(LogOptions options)
    {
        var lines = new List<LogLine>();
        await foreach (var line in LogReader.ReadAsync(Files, options, _ => ValueTask.FromResult(false), default))
            lines.Add(line);
        return lines;
    }
}
