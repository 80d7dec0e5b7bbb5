using Mcp.Agent.Registry;
using Mcp.Daemon.Storage;
using Mcp.Master.Store;
using Mcp.Model.Errors;
using Mcp.Model.Histories;
using Mcp.Model.Names;
using Mcp.Protocol.Histories;
using Microsoft.Extensions.Time.Testing;

namespace Mcp.UnitTests.Agent;

/// <summary>The master's and the agent's own databases, and a network that delivers late.</summary>
public sealed class LateRequestTests : IDisposable
{
    private static readonly Label s_blog = Label.Parse("blog");
    private static readonly Label s_shop = Label.Parse("shop");
    private static readonly DateTimeOffset s_today = new(2026, 6, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-late").FullName;
    private readonly List<IDisposable> _killed = [];
    private AgentRegistry _agent;

    public LateRequestTests() => _agent = OpenAgent();

    private string MasterFile => Path.Combine(_directory, "master.db");

    [Fact]
    public void Of_two_requests_of_one_run_of_the_master_the_later_one_counts()
    {
        var master = Start();
        var (one, two, three) = (Send(master), Send(master), Send(master));
        Assert.True(Passes(two));
        Assert.False(Passes(one));
        // A network may deliver one twice.
        Assert.True(Passes(two));
        Assert.True(Passes(three));
        // Each service has its own.
        Assert.True(Passes(one, s_shop));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_request_of_before_a_restart_of_the_master_or_of_the_agent_comes_late(bool killed)
    {
        var before = Start();
        var late = Send(before);
        for (var i = 0; i < 5; i++)
            Send(before);
        End(before, killed);
        Restart(killed);
        var after = Start();
        Assert.True(Passes(Send(after)));
        Restart(killed);
        Assert.False(Passes(late));
        Assert.True(Passes(Send(after)));
    }

    [Fact]
    public void A_clock_that_was_set_back_keeps_no_request_of_a_new_master_from_being_served_and_lets_no_late_one_pass()
    {
        var before = Start(s_today);
        var late = Send(before);
        Assert.True(Passes(Send(before)));
        End(before, killed: true);
        var after = Start(s_today.AddYears(-1));
        Assert.True(Passes(Send(after)));
        Assert.False(Passes(late));
        End(after, killed: false);

        // Not even the database is there any more.
        Lose();
        var anew = Start(s_today.AddYears(-2));
        Assert.True(Passes(Send(anew)));
        Assert.True(Passes(Send(anew)));
        Assert.False(Passes(late));
    }

    [Fact]
    public void What_a_master_sent_before_it_got_an_older_database_comes_late()
    {
        var first = Start();
        Assert.True(Passes(Send(first)));
        End(first, killed: false);
        var backup = MasterFile + ".backup";
        File.Copy(MasterFile, backup);
        var lost = Start();
        var late = Send(lost);
        Assert.True(Passes(Send(lost)));
        End(lost, killed: false);
        File.Copy(backup, MasterFile, overwrite: true);
        var restored = Start();
        Assert.True(Passes(Send(restored)));
        Assert.False(Passes(late));
        Assert.True(Passes(Send(restored)));
    }

    [Fact]
    public void A_heartbeat_gives_a_master_its_place_before_any_request_however_often_it_starts_again()
    {
        var first = Start();
        _agent.Sequences.Learn(first.History.Now()!);
        var late = Send(first);
        End(first, killed: false);
        for (var i = 0; i < Standing.MostAncestors + 5; i++)
            End(Start(), killed: false);
        Assert.True(Passes(Send(Start())));
        Assert.False(Passes(late));
    }

    [Fact]
    public async Task Requests_that_are_made_at_once_have_numbers_of_their_own_and_the_last_one_counts()
    {
        var master = Start();
        var makers = Enumerable.Range(0, 8).Select(_ => Task.Run(() => Enumerable.Range(0, 10).Select(_ => Send(master)).ToList()));
        var made = await Task.WhenAll(makers);
        var all = made.SelectMany(m => m).OrderBy(n => n.Standing!.Change).ToList();
        Assert.Equal(Enumerable.Range(1, 80).Select(i => (long)i), all.Select(n => n.Standing!.Change));
        Assert.Equal(80, all.Select(n => n.Sequence).Distinct().Count());
        await Task.WhenAll(all.Select(n => Task.Run(() => Passes(n))));
        Assert.False(Passes(all[^2]));
        Assert.True(Passes(all[^1]));
    }

    [Fact]
    public void An_older_master_is_served_by_its_sequence_before_and_after_a_newer_one()
    {
        var master = Start();
        Assert.True(Passes(Older(Send(master))));
        var lateOfOlder = Older(Send(master));
        var lateOfNewer = Send(master);
        Assert.True(Passes(Send(master)));
        Assert.False(Passes(lateOfOlder));
        // Back to the older version, which goes on with the database's sequence, and to the newer one again.
        Assert.True(Passes(Older(Send(master))));
        Assert.False(Passes(lateOfNewer));
        Assert.False(Passes(lateOfOlder));
        End(master, killed: false);
        Assert.True(Passes(Send(Start())));
        Assert.False(Passes(lateOfNewer));
    }

    [Fact]
    public void An_older_agent_sees_a_sequence_that_grows_over_restarts_and_with_the_clock_set_back()
    {
        var last = 0L;
        foreach (var now in (DateTimeOffset[])[s_today, s_today.AddDays(-1), s_today.AddDays(1)])
        {
            var master = Start(now);
            for (var i = 0; i < 3; i++)
            {
                var next = Send(master).Sequence;
                Assert.True(next > last, $"{next} after {last}");
                last = next;
            }

            End(master, killed: true);
        }
    }

    [Fact]
    public void Of_the_masters_epochs_10000_are_kept_and_those_that_are_forgotten_are_older_than_all()
    {
        var master = Start();
        Assert.True(Passes(Send(master)));
        End(master, killed: false);
        using (var database = Database.Open(Path.Combine(_directory, "registry.db"), AgentRegistry.Owner))
        {
            database.Alter(connection => connection.Run("""
                WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10500)
                INSERT INTO master_epochs (epoch) SELECT printf('%032x', i) FROM n
                """));
        }

        Lose();
        var after = Start(s_today.AddYears(-1));
        _agent.Sequences.Learn(after.History.Now()!);
        Assert.Equal((10_000, 10_000), (SequencesTable.Kept, Count("master_epochs")));
        Assert.True(Passes(Send(after)));
        Assert.True(Passes(Send(after)));
    }

    public void Dispose()
    {
        _agent.Dispose();
        _killed.ForEach(k => k.Dispose());
        Directory.Delete(_directory, recursive: true);
    }

    // As it comes over the wire.
    private static RequestNumber Send(MasterStore master)
    {
        var number = master.NextRequest();
        return number with { Standing = StandingMapping.Read(number.Standing!.ToWire()) };
    }

    private static RequestNumber Older(RequestNumber number) => number with { Standing = null };

    private bool Passes(RequestNumber number, Label? service = null)
    {
        try
        {
            _agent.Sequences.Pass(service ?? s_blog, number);
            return true;
        }
        catch (McpException e) when (e.Code == ErrorCode.RequestSuperseded)
        {
            return false;
        }
    }

    private MasterStore Start(DateTimeOffset? now = null)
    {
        var master = MasterStore.Open(MasterFile, new FakeTimeProvider(now ?? s_today));
        _killed.Add(master);
        return master;
    }

    private void End(MasterStore master, bool killed)
    {
        // What is killed closes nothing.
        if (!killed && _killed.Remove(master))
            master.Dispose();
    }

    private void Lose()
    {
        foreach (var file in Directory.GetFiles(_directory, "master.db*"))
            File.Delete(file);
    }

    private void Restart(bool killed)
    {
        if (killed)
            _killed.Add(_agent);
        else
            _agent.Dispose();
        _agent = OpenAgent();
    }

    private AgentRegistry OpenAgent() => AgentRegistry.Open(Path.Combine(_directory, "registry.db"), TimeProvider.System);

    private long Count(string table)
    {
        using var database = Database.Open(Path.Combine(_directory, "registry.db"), AgentRegistry.Owner);
        using var connection = database.Connect();
        return (long)connection.Scalar($"SELECT COUNT(*) FROM {table}")!;
    }
}
