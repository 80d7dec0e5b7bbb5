using System.Net.Sockets;
using System.Text;
using Mcp.Runtimes.Qemu.Control;

namespace Mcp.UnitTests.Runtimes;

/// <summary>Who asks at the same time shares one connection, as QEMU serves one.</summary>
public sealed class GuestChannelsTests : IDisposable
{
    private readonly string _machine = Directory.CreateTempSubdirectory("mcp-machine").FullName;
    private readonly GuestChannels _channels = new();
    private readonly CancellationTokenSource _over = new(TimeSpan.FromSeconds(20));
    private int _connections;

    public void Dispose()
    {
        _over.Dispose();
        Directory.Delete(_machine, recursive: true);
    }

    [Fact]
    public async Task All_who_ask_at_once_share_a_connection_and_the_next_one_gets_another()
    {
        using var vm = Listen();
        _ = ServeAsync(vm, hangUp: false);
        var answers = await Task.WhenAll(Enumerable.Range(1, 10).Select(AskAsync));
        Assert.All(answers, Assert.True);
        Assert.InRange(_connections, 1, 2);
        var before = _connections;
        Assert.True(await AskAsync(80));
        Assert.Equal(before + 1, _connections);
    }

    [Fact]
    public async Task A_VM_that_hangs_up_is_asked_anew_by_the_next_one()
    {
        using var vm = Listen();
        _ = ServeAsync(vm, hangUp: true);
        await Assert.ThrowsAsync<IOException>(() => AskAsync(80));
        _ = ServeAsync(vm, hangUp: false);
        Assert.True(await AskAsync(80));
    }

    [Fact]
    public async Task A_VM_that_is_not_there_is_an_error_each_time()
    {
        for (var i = 0; i < 3; i++)
        {
            var e = await Assert.ThrowsAsync<IOException>(() => AskAsync(80));
            Assert.Contains("does not answer", e.Message, StringComparison.Ordinal);
        }
    }

    private Task<bool> AskAsync(int port) => _channels.AskAsync(_machine, c => c.ListensAsync(port, _over.Token), _over.Token);

    private Socket Listen()
    {
        var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(Path.Combine(_machine, GuestChannel.SocketName)));
        listener.Listen(1);
        return listener;
    }

    // As QEMU: one connection after the other, each to its end.
    private async Task ServeAsync(Socket vm, bool hangUp)
    {
        try
        {
            do
            {
                using var connection = await vm.AcceptAsync(_over.Token);
                Interlocked.Increment(ref _connections);
                if (!hangUp)
                    await AnswerAsync(connection);
            }
            while (!hangUp);
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException or IOException)
        {
            // The test is over.
        }
    }

    private async Task AnswerAsync(Socket connection)
    {
        await using var stream = new NetworkStream(connection);
        using var reader = new StreamReader(stream, Encoding.ASCII);
        while (await reader.ReadLineAsync(_over.Token) is { } line)
        {
            if (line.Split(' ') is [{ Length: > 0 } id, "listens", _])
                await stream.WriteAsync(Encoding.ASCII.GetBytes($"{id} 0\n"), _over.Token);
        }
    }
}
