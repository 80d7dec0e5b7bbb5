using Mcp.Agent.Registry;
using Mcp.Daemon.Events;
using Mcp.Model.Events;
using Mcp.Model.Names;

namespace Mcp.UnitTests.Events;

public sealed class TroublesTests : IDisposable
{
    private static readonly TroubleKey s_shop = TroubleKey.Of(Label.Parse("shop"), "shop.example.com");
    private static readonly TroubleKey s_blog = TroubleKey.Of(Label.Parse("blog"), "blog.example.com");
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-troubles").FullName;
    private readonly AgentRegistry _registry;
    private Troubles _troubles;

    public TroublesTests()
    {
        _registry = AgentRegistry.Open(Path.Combine(_directory, "registry.db"), TimeProvider.System);
        _troubles = Started();
    }

    public void Dispose()
    {
        _registry.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public void Each_is_told_once_however_many_there_are_and_again_when_its_reason_changes()
    {
        for (var round = 0; round < 3; round++)
        {
            _troubles.Tell(s_shop, "no answer");
            _troubles.Tell(s_blog, "refused");
        }

        Assert.Equal(["edge.failed shop.example.com: no answer", "edge.failed blog.example.com: refused"], Told());
        _troubles.Tell(s_shop, EventKind.EdgeRefused, "outside");
        _troubles.Tell(s_shop, EventKind.EdgeRefused, "outside");
        Assert.Equal("edge.refused shop.example.com: outside", Told()[2]);
        Assert.Equal(3, Told().Count);
        Assert.Equal(("outside", "refused", ""), (_troubles.Of(s_shop), _troubles.Of(s_blog), _troubles.Of(TroubleKey.Of("other"))));
    }

    [Fact]
    public void The_end_is_told_once_and_only_of_a_trouble()
    {
        _troubles.Over(s_shop);
        _troubles.Tell(s_shop, "no answer");
        _troubles.Over(s_shop, "found");
        _troubles.Over(s_shop, "found");
        _troubles.Over(s_blog);
        Assert.Equal(["edge.failed shop.example.com: no answer", "edge.well shop.example.com: found"], Told());
        _troubles.Tell(s_shop, "no answer");
        Assert.Equal(3, Told().Count);
    }

    [Fact]
    public void What_was_told_before_a_restart_is_not_told_again_and_its_end_is()
    {
        _troubles.Tell(s_shop, "no answer");
        _troubles.Tell(s_blog, "refused");
        _troubles.Over(s_blog);
        _troubles = Started();
        Assert.Equal(("no answer", ""), (_troubles.Of(s_shop), _troubles.Of(s_blog)));
        _troubles.Tell(s_shop, "no answer");
        Assert.Equal(3, Told().Count);
        _troubles.Over(s_shop);
        Assert.Equal("edge.well shop.example.com", Told()[3]);
        _troubles = Started();
        _troubles.Over(s_shop);
        Assert.Equal(4, Told().Count);
        _troubles.Tell(s_blog, "refused");
        Assert.Equal(5, Told().Count);
    }

    [Fact]
    public void One_that_is_the_only_one_of_its_service_needs_no_name()
    {
        var definition = TroubleKey.Of(Label.Parse("shop"));
        _troubles.Tell(definition, "line 3: what is this");
        _troubles = Started();
        _troubles.Tell(definition, "line 3: what is this");
        Assert.Equal(["edge.failed line 3: what is this"], Told());
        _troubles.Tell(definition, "line 4: and this");
        Assert.Equal(2, Told().Count);
    }

    [Fact]
    public void Those_that_are_gone_are_over_and_what_somebody_else_ended_is_not_told()
    {
        _troubles.Tell(s_shop, "no answer");
        _troubles.Tell(s_blog, "refused");
        _troubles.OverExcept(new HashSet<TroubleKey> { s_blog }, "gone");
        _troubles.Forget(s_blog);
        _troubles.OverExcept(new HashSet<TroubleKey>(), "gone");
        Assert.Equal("edge.well shop.example.com: gone", Told()[2]);
        Assert.Equal(3, Told().Count);
    }

    [Fact]
    public void One_that_could_not_be_written_down_is_told_later()
    {
        _registry.Events.Added += Refuse;
        Assert.Throws<IOException>(() => _troubles.Tell(s_shop, "no answer"));
        _registry.Events.Added -= Refuse;
        _troubles.Tell(s_shop, "no answer");
        Assert.Equal(2, Told().Count);

        static void Refuse(KeptEvent happened) => throw new IOException("full");
    }

    private Troubles Started() => new(_registry.Events, over: EventKind.EdgeWell, EventKind.EdgeFailed, EventKind.EdgeRefused);

    private List<string> Told() => _registry.Events.After(0, 100).ConvertAll(e => $"{e.Kind} {e.Detail}");
}
