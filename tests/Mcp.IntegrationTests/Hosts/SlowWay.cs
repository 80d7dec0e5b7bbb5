using System.Net;
using System.Net.Sockets;

namespace Mcp.IntegrationTests.Hosts;

/// <summary>Carries connections on to a port of this machine; what comes back comes slowly.</summary>
internal sealed class SlowWay : IAsyncDisposable
{
    private const int Piece = 64 * 1024;
    private readonly CancellationTokenSource _end = new();
    private readonly TcpListener _listener;
    private readonly Task _run;

    /// <param name="bytesPerSecond">Of each connection.</param>
    public SlowWay(int port, int to, int bytesPerSecond)
    {
        _listener = new TcpListener(IPAddress.Any, port);
        _listener.Start();
        _run = Task.Run(async () =>
        {
            while (!_end.IsCancellationRequested)
                _ = CarryAsync(await _listener.AcceptTcpClientAsync(_end.Token), to, bytesPerSecond);
        });
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        _listener.Dispose();
        await _run.ContinueWith(_ => { }, TaskScheduler.Default);
        _end.Dispose();
    }

    private async Task CarryAsync(TcpClient client, int to, int bytesPerSecond)
    {
        using var server = new TcpClient();
        using (client)
        {
            await server.ConnectAsync(IPAddress.Loopback, to, _end.Token);
            var (here, there) = (client.GetStream(), server.GetStream());
            await Task.WhenAny(here.CopyToAsync(there, _end.Token), BackAsync(there, here, bytesPerSecond));
        }
    }

    private async Task BackAsync(NetworkStream from, NetworkStream to, int bytesPerSecond)
    {
        var buffer = new byte[Piece];
        for (var read = await from.ReadAsync(buffer, _end.Token); read > 0; read = await from.ReadAsync(buffer, _end.Token))
        {
            await to.WriteAsync(buffer.AsMemory(0, read), _end.Token);
            await Task.Delay(TimeSpan.FromSeconds((double)read / bytesPerSecond), _end.Token);
        }
    }
}
