using System.Net;
using System.Net.Sockets;
using Mcp.Machine;
using Mcp.Model.Definition;

namespace Mcp.Runtimes.Qemu.Network;

/// <summary>Published ports of a VM on a bridge: each connection is passed on to the VM's own address.</summary>
internal sealed class PortForwarder : IDisposable
{
    private static readonly TimeSpan s_connect = TimeSpan.FromSeconds(5);
    private readonly CancellationTokenSource _over = new();
    private readonly List<TcpListener> _listeners = [];
    private readonly IPAddress _guest;

    /// <exception cref="SocketException">A port is in use.</exception>
    public PortForwarder(IReadOnlyList<FixedPort> ports, IPAddress guest)
    {
        _guest = guest;
        try
        {
            foreach (var port in ports)
            {
                var listener = new TcpListener(IPAddress.Parse(port.Address), port.Host);
                _listeners.Add(listener);
                listener.Start();
                _ = AcceptAsync(listener, port.Instance);
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        _over.Cancel();
        foreach (var listener in _listeners)
            listener.Dispose();
        _over.Dispose();
    }

    private async Task AcceptAsync(TcpListener listener, int port)
    {
        var token = _over.Token;
        while (!token.IsCancellationRequested)
        {
            try
            {
                _ = PassAsync(await listener.AcceptTcpClientAsync(token), port, token);
            }
            catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
            {
                // A connection that broke before it was taken, or the end.
            }
        }
    }

    private async Task PassAsync(TcpClient client, int port, CancellationToken ct)
    {
        using var outside = client;
        using var inside = new TcpClient();
        try
        {
            using (var limit = new Within(s_connect, ct))
                await inside.ConnectAsync(_guest, port, limit.Token);

            await Task.WhenAll(CopyAsync(outside, inside, ct), CopyAsync(inside, outside, ct));
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException)
        {
            // Either side went away: both are closed.
        }
    }

    private static async Task CopyAsync(TcpClient from, TcpClient to, CancellationToken ct)
    {
        await from.GetStream().CopyToAsync(to.GetStream(), ct);
        to.Client.Shutdown(SocketShutdown.Send);
    }
}
