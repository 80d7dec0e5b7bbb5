using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using Mcp.Agent.ProxyProcess.Passing;
using Mcp.Daemon.Doors;
using Microsoft.AspNetCore.Connections;

namespace Mcp.Agent.ProxyProcess;

/// <summary>One TLS connection: find the backend by the name in its ClientHello, then carry bytes both ways; the TLS ends at the
/// instance.</summary>
internal sealed class SniPassthrough(RouteTable table)
{
    private static readonly TimeSpan s_helloLimit = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_connectLimit = TimeSpan.FromSeconds(5);

    /// <summary>How long the instance may go on answering after the client has said its last.</summary>
    private static readonly TimeSpan s_halfClosedLimit = TimeSpan.FromMinutes(5);

    // RFC 8446 6.2: a fatal alert, unrecognized_name or internal_error.
    private static readonly byte[] s_unknownName = [21, 3, 3, 0, 2, 2, 112];
    private static readonly byte[] s_noBackend = [21, 3, 3, 0, 2, 2, 80];

    public async Task CarryAsync(ConnectionContext client)
    {
        if (await ReadNameAsync(client) is not { } name)
        {
            await client.Transport.Output.WriteAsync(s_unknownName);
            return;
        }

        // From here on it is known what is wanted: also one that waits for its instance has asked, and is not closed to make room.
        var slot = client.Features.Get<ConnectionSlot>();
        slot?.Begin();
        try
        {
            await CarryAsync(client, await FindAsync(client, name));
        }
        finally
        {
            slot?.End();
        }
    }

    private static async Task CarryAsync(ConnectionContext client, Found found)
    {
        if (found.Backend is not { } backend)
        {
            await client.Transport.Output.WriteAsync(found.Held ? s_noBackend : s_unknownName);
            return;
        }

        try
        {
            await CarryAsync(client, backend.Port);
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException
            or ConnectionAbortedException or ConnectionResetException)
        {
            client.Abort();
        }
        finally
        {
            backend.Leave();
        }
    }

    private async Task<Found> FindAsync(ConnectionContext client, string name)
    {
        try
        {
            return await table.EnterPassThroughAsync(name, client.ConnectionClosed);
        }
        catch (OperationCanceledException)
        {
            // The client did not wait.
            return default;
        }
    }

    /// <summary>Leaves what it read in the pipe, for the instance.</summary>
    private static async Task<string?> ReadNameAsync(ConnectionContext client)
    {
        using var limit = new CancellationTokenSource(s_helloLimit);
        try
        {
            while (true)
            {
                var read = await client.Transport.Input.ReadAsync(limit.Token);
                var state = ClientHello.Read(read.Buffer, out var name);
                var wait = state == HelloState.Incomplete && !read.IsCompleted;
                client.Transport.Input.AdvanceTo(read.Buffer.Start, wait ? read.Buffer.End : read.Buffer.Start);
                if (!wait)
                    return name;
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            return null;
        }
    }

    private static async Task CarryAsync(ConnectionContext client, int port)
    {
        NetworkStream instance;
        try
        {
            using var limit = new CancellationTokenSource(s_connectLimit);
            instance = new NetworkStream(
                await BackendSocket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, port), limit.Token), ownsSocket: true);
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            await client.Transport.Output.WriteAsync(s_noBackend);
            return;
        }

        await using var connected = instance;
        using var over = new CancellationTokenSource();
        var up = UpAsync(client.Transport.Input, instance, over);
        await instance.CopyToAsync(client.Transport.Output, over.Token);
        // The instance has said its last; what the client still sends has no one to read it.
        await client.Transport.Output.CompleteAsync();
        await over.CancelAsync();
        await up.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private static async Task UpAsync(PipeReader client, NetworkStream instance, CancellationTokenSource over)
    {
        try
        {
            await client.CopyToAsync(instance, over.Token);
            instance.Socket.Shutdown(SocketShutdown.Send);
            over.CancelAfter(s_halfClosedLimit);
        }
        catch (Exception e) when (e is IOException or SocketException or ConnectionAbortedException)
        {
            // The client is gone: end the other direction too.
            await over.CancelAsync();
        }
    }
}
