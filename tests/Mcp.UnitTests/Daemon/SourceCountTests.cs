using System.Net;
using Mcp.Daemon.Doors;

namespace Mcp.UnitTests.Daemon;

public class SourceCountTests
{
    [Fact]
    public void What_has_ended_takes_no_memory_and_this_machine_is_no_source()
    {
        var count = new SourceCount(null, 2);
        Assert.True(Enter("10.0.0.1") && Enter("::ffff:10.0.0.1"));
        Assert.False(Enter("10.0.0.1"));
        Assert.True(Enter("2001:db8::1") && Enter("2001:db8::2"));
        Assert.False(Enter("2001:db8::3"));
        for (var i = 0; i < 10; i++)
            Assert.True(Enter("127.0.0.1") && Enter("::1") && Enter("::ffff:127.0.0.1") && count.TryEnter(null));
        Assert.Equal(2, count.Sources);
        foreach (var from in (string[])["10.0.0.1", "10.0.0.1", "2001:db8::4", "2001:db8::5", "127.0.0.1"])
            count.Leave(IPAddress.Parse(from));
        Assert.Equal(0, count.Sources);
        Assert.True(Enter("10.0.0.1"));

        bool Enter(string from) => count.TryEnter(IPAddress.Parse(from));
    }
}
