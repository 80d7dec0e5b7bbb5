using System.Net.Sockets;
using System.Text;
using Mcp.Runtimes.Qemu.Control;

namespace Mcp.UnitTests.Runtimes;

/// <summary>The guest's end of a channel, in the hands of a test: it hears requests and says whatever the test wants.</summary>
internal sealed class FakeGuest : IAsyncDisposable
{
    private readonly NetworkStream _stream;
    private readonly StreamReader _reader;

    private FakeGuest(Socket socket)
    {
        _stream = new NetworkStream(socket, ownsSocket: true);
        _reader = new StreamReader(_stream, Encoding.ASCII);
    }

    public static async Task<(FakeGuest Guest, GuestChannel Channel)> StartAsync()
    {
        var file = Path.Combine(Path.GetTempPath(), $"mcp-guest-{Guid.NewGuid():N}.sock");
        using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(file));
        listener.Listen(1);
        var host = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await host.ConnectAsync(new UnixDomainSocketEndPoint(file));
        var guest = new FakeGuest(await listener.AcceptAsync());
        return (guest, new GuestChannel(new NetworkStream(host, ownsSocket: true)));
    }

    /// <summary>The next request.</summary>
    public async Task<(string Id, string What)> HearAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (true)
        {
            var line = await _reader.ReadLineAsync(limit.Token) ?? throw new IOException("the host went away");
            var space = line.IndexOf(' ', StringComparison.Ordinal);
            if (space > 0)
                return (line[..space], line[(space + 1)..]);
        }
    }

    public async Task SayAsync(string text) => await _stream.WriteAsync(Encoding.Latin1.GetBytes(text));

    public ValueTask DisposeAsync()
    {
        _reader.Dispose();
        return _stream.DisposeAsync();
    }
}
