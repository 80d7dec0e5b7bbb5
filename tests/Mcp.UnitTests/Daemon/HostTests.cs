using Mcp.Agent;
using Mcp.Daemon.Lifecycle;
using Mcp.Master;

namespace Mcp.UnitTests.Daemon;

public class HostTests
{
    [Fact]
    public void Both_daemons_start_in_the_agreed_order()
    {
        var master = new MasterHost(null!).Stages().StageNames.ToList();
        Assert.Equal(["lock", "database", "nodes", "agents", "dns", "tls", "auth", "server", "work"], master);
        var agent = new AgentHost(null!).Stages().StageNames.ToList();
        Assert.Equal(agent, master.Where(agent.Contains));
    }

    [Fact]
    public async Task Stages_end_in_reverse_also_when_a_later_one_fails()
    {
        var ended = new List<string>();
        var host = new DaemonHost("test").Stage("one", End("one"))
            .Stage("two", End("two"))
            .Stage("three", _ => throw new InvalidOperationException("three"));
        await Assert.ThrowsAsync<InvalidOperationException>(() => host.RunAsync("ready", default));
        Assert.Equal(["two", "one"], ended);

        Func<CancellationToken, Task<Func<Task>>> End(string name) => _ => Task.FromResult<Func<Task>>(() =>
        {
            ended.Add(name);
            return Task.CompletedTask;
        });
    }
}
