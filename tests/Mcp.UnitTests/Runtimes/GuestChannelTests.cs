using System.Text;
using Mcp.Runtimes.Qemu.Control;

namespace Mcp.UnitTests.Runtimes;

/// <summary>The host's end of the channel into a microvm, with guests that misbehave.</summary>
public sealed class GuestChannelTests : IAsyncLifetime
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(20);
    private readonly CancellationTokenSource _over = new(s_limit);
    private FakeGuest _guest = null!;
    private GuestChannel _channel = null!;

    public async ValueTask InitializeAsync() => (_guest, _channel) = await FakeGuest.StartAsync();

    public async ValueTask DisposeAsync()
    {
        await _channel.DisposeAsync();
        await _guest.DisposeAsync();
        _over.Dispose();
    }

    [Theory]
    [InlineData("0", true)]
    [InlineData("1", false)]
    public async Task It_asks_for_a_port_in_hex_and_takes_yes_or_no(string says, bool expected)
    {
        var asked = _channel.ListensAsync(8080, _over.Token);
        var (id, what) = await _guest.HearAsync();
        Assert.Equal("listens 1F90", what);
        await _guest.SayAsync($"{id} {says}\n");
        Assert.Equal(expected, await asked);
    }

    [Fact]
    public async Task What_is_run_travels_whole_and_comes_back_in_pieces()
    {
        var asked = RunAsync("echo 'a\nb' \"$(x)\" ä");
        var (id, what) = await _guest.HearAsync();
        var words = what.Split(' ');
        Assert.Equal(("run", "1.5"), (words[0], words[1]));
        Assert.Equal("echo 'a\nb' \"$(x)\" ä", Encoding.UTF8.GetString(Convert.FromBase64String(words[2])));
        await _guest.SayAsync($"{id} + {Base64("one, ")}\n{id} + {Base64("two")}\n{id} 7\n");
        var answer = await asked;
        Assert.Equal((7, "one, two"), (answer.Code, Encoding.UTF8.GetString(answer.Output)));
    }

    [Fact]
    public async Task What_is_killed_at_its_limit_has_no_code()
    {
        var asked = RunAsync("sleep 100");
        var (id, _) = await _guest.HearAsync();
        await _guest.SayAsync($"{id} + {Base64("so far")}\n{id} over\n");
        var answer = await asked;
        Assert.Equal((null, "so far"), (answer.Code, Encoding.UTF8.GetString(answer.Output)));
    }

    [Fact]
    public async Task Answers_find_their_requests_in_any_order_and_one_that_hangs_keeps_none_waiting()
    {
        var asked = Enumerable.Range(1, 5).Select(port => _channel.ListensAsync(port, _over.Token)).ToList();
        var ids = new string[5];
        foreach (var _ in asked)
        {
            var (id, what) = await _guest.HearAsync();
            ids[int.Parse(what[^1..], null) - 1] = id;
        }

        foreach (var port in (int[])[4, 2, 1, 3])
        {
            await _guest.SayAsync($"{ids[port]} {port % 2}\n");
            Assert.Equal(port % 2 == 0, await asked[port]);
        }

        Assert.False(asked[0].IsCompleted);
        await _guest.SayAsync($"{ids[0]} 0\n");
        Assert.True(await asked[0]);
    }

    [Theory]
    [InlineData("\n\n \nhello\n\0\xff\xfe\n")]
    [InlineData("somebody.1 0\n")]
    [InlineData("ID\n")]
    [InlineData("ID \n")]
    [InlineData("ID 256\n")]
    [InlineData("ID -1\n")]
    [InlineData("ID 0 \n")]
    [InlineData("ID + !!!\n")]
    [InlineData("ID +\n")]
    [InlineData("ID unheard of\n")]
    public async Task Garbage_is_passed_over(string garbage)
    {
        var asked = RunAsync("true");
        var (id, _) = await _guest.HearAsync();
        await _guest.SayAsync(garbage.Replace("ID", id, StringComparison.Ordinal));
        await _guest.SayAsync($"{id} + {Base64("well")}\n{id} 3\n");
        var answer = await asked;
        Assert.Equal((3, "well"), (answer.Code, Encoding.UTF8.GetString(answer.Output)));
    }

    [Fact]
    public async Task An_overlong_line_is_passed_over_whole()
    {
        var asked = _channel.ListensAsync(80, _over.Token);
        var (id, _) = await _guest.HearAsync();
        await _guest.SayAsync($"{id} 1{new string('x', 100_000)}{id} 1\n{id} 0\n");
        Assert.True(await asked);
    }

    [Fact]
    public async Task An_answer_given_twice_counts_once_and_is_not_the_next_ones()
    {
        var first = _channel.ListensAsync(80, _over.Token);
        var (id, _) = await _guest.HearAsync();
        await _guest.SayAsync($"{id} 0\n{id} 1\n{id} + {Base64("more")}\n");
        Assert.True(await first);
        var second = RunAsync("true");
        var (next, _) = await _guest.HearAsync();
        Assert.NotEqual(id, next);
        await _guest.SayAsync($"{id} 5\n{next} 6\n");
        var answer = await second;
        Assert.Equal((6, 0), (answer.Code, answer.Output.Length));
    }

    [Fact]
    public async Task More_output_than_64_KiB_is_cut_there()
    {
        var asked = RunAsync("cat /dev/zero");
        var (id, _) = await _guest.HearAsync();
        var piece = Convert.ToBase64String(new byte[12 * 1024]);
        for (var i = 0; i < 8; i++)
            await _guest.SayAsync($"{id} + {piece}\n");
        await _guest.SayAsync($"{id} 0\n");
        Assert.Equal(64 * 1024, (await asked).Output.Length);
    }

    [Fact]
    public async Task A_guest_that_never_answers_costs_the_limit_and_no_more()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMilliseconds(50));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => _channel.ListensAsync(80, limit.Token));
        Assert.False(_channel.IsBroken);
        // Nor does its late answer harm.
        var (id, _) = await _guest.HearAsync();
        await _guest.SayAsync($"{id} 0\n");
        var asked = _channel.ListensAsync(81, _over.Token);
        var (next, _) = await _guest.HearAsync();
        await _guest.SayAsync($"{next} 1\n");
        Assert.False(await asked);
    }

    [Fact]
    public async Task What_runs_longer_than_its_limit_and_is_not_reported_is_given_up()
    {
        var e = await Assert.ThrowsAsync<IOException>(() => _channel.RunAsync("true", TimeSpan.FromMilliseconds(1), _over.Token));
        Assert.Contains("does not answer", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_guest_that_closes_fails_all_who_wait_and_all_who_come()
    {
        var asked = Enumerable.Range(1, 3).Select(port => _channel.ListensAsync(port, _over.Token)).ToList();
        await _guest.HearAsync();
        await _guest.DisposeAsync();
        foreach (var one in asked)
            await Assert.ThrowsAsync<IOException>(() => one);
        Assert.True(_channel.IsBroken);
        await Assert.ThrowsAsync<IOException>(() => _channel.ListensAsync(80, _over.Token));
    }

    [Theory]
    [InlineData("x")]
    [InlineData("x\n")]
    public async Task A_guest_that_floods_is_hung_up_on(string flood)
    {
        var asked = _channel.ListensAsync(80, _over.Token);
        var text = string.Concat(Enumerable.Repeat(flood, 16 * 1024 / flood.Length));
        var said = 0L;
        await Assert.ThrowsAnyAsync<IOException>(async () =>
        {
            for (; said < 64 * 1024 * 1024; said += text.Length)
                await _guest.SayAsync(text);
        });
        Assert.InRange(said, 1, 8 * 1024 * 1024);
        var e = await Assert.ThrowsAsync<IOException>(() => asked);
        Assert.Contains("more than it was asked", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_answer_that_makes_no_sense_for_a_port_is_no_answer()
    {
        var asked = _channel.ListensAsync(80, _over.Token);
        var (id, _) = await _guest.HearAsync();
        await _guest.SayAsync($"{id} 2\n");
        await Assert.ThrowsAsync<IOException>(() => asked);
    }

    [Fact]
    public async Task A_guest_that_reads_nothing_keeps_nobody_longer_than_they_want()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));
        var text = new string('x', 32 * 1024);
        var asked = Enumerable.Range(0, 40).Select(_ => _channel.RunAsync(text, s_limit, limit.Token)).ToList();
        foreach (var one in asked)
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => one);
    }

    private Task<GuestAnswer> RunAsync(string text) => _channel.RunAsync(text, TimeSpan.FromSeconds(1.5), _over.Token);

    private static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));
}
