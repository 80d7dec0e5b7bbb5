using System.Runtime.CompilerServices;
using Google.Protobuf.WellKnownTypes;
using Mcp.Protocol.Logs;
using Mcp.Protocol.V1;

namespace Mcp.UnitTests.Cli;

/// <summary>Several logs as one.</summary>
public sealed class LogOrderTests
{
    private static readonly DateTime s_start = new(2026, 11, 28, 12, 0, 0, DateTimeKind.Utc);

    [Fact]
    public async Task Lines_are_in_order_of_time_and_the_pieces_of_one_stay_together() => Assert.Equal(
        ["a0", "b1", "c2 ", "c2", "b3", "a4"],
        await TextsAsync(Log("a0", "a4"), Log(), Log("b1", "b3"), Log("c2 ", "c2")));

    [Fact]
    public async Task All_logs_are_opened_at_once()
    {
        var opened = 0;
        var all = new TaskCompletionSource();
        Assert.Equal(["x0", "x0", "x0"], await TextsAsync(Meeting(default), Meeting(default), Meeting(default)));

        // Each has a first line when all have been asked for theirs.
        async IAsyncEnumerable<LogLine> Meeting([EnumeratorCancellation] CancellationToken ct)
        {
            if (++opened == 3)
                all.SetResult();
            await all.Task.WaitAsync(TimeSpan.FromSeconds(20), ct);
            yield return Line("x0");
        }
    }

    [Fact]
    public async Task Where_one_cannot_be_opened_the_others_are_closed()
    {
        var closed = 0;
        await Assert.ThrowsAsync<IOException>(() => TextsAsync(Closing(default), Failing(), Closing(default)));
        Assert.Equal(2, closed);

        async IAsyncEnumerable<LogLine> Closing([EnumeratorCancellation] CancellationToken ct)
        {
            try
            {
                await Task.Yield();
                yield return Line("x0");
            }
            finally
            {
                closed++;
            }
        }

        static async IAsyncEnumerable<LogLine> Failing()
        {
            await Task.Yield();
            yield return Line("x0".Length == 2 ? throw new IOException("away") : "");
        }
    }

    // The last digit is its second; a space after it: it goes on.
    private static LogLine Line(string text) => new()
    {
        Text = text,
        Time = Timestamp.FromDateTime(s_start.AddSeconds(text[1] - '0')),
        Continues = text.EndsWith(' '),
    };

    private static async IAsyncEnumerable<LogLine> Log(params string[] texts)
    {
        foreach (var text in texts)
        {
            await Task.Yield();
            yield return Line(text);
        }
    }

    private static async Task<List<string>> TextsAsync(params IAsyncEnumerable<LogLine>[] logs)
    {
        var texts = new List<string>();
        await foreach (var line in LogOrder.MergeAsync(logs, default))
            texts.Add(line.Text);
        return texts;
    }
}
