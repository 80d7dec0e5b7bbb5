using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Mcp.Machine;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;

namespace Mcp.Agent.ProxyProcess.Handover;

/// <summary>The TCP sockets that this proxy listens on: those that the proxy before it had at the same addresses, and its own where there
/// were none.</summary>
internal sealed class ListenSockets : IDisposable
{
    private readonly Lock _lock = new();
    private readonly List<Socket> _inherited = [];
    private readonly List<Socket> _bound = [];
    private readonly List<Socket> _listening = [];

    /// <summary>Takes over what a proxy before this one listens on; what is not wanted is closed with this.</summary>
    /// <param name="handles">Of listening TCP sockets.</param>
    public void Inherit(IEnumerable<nint> handles)
    {
        foreach (var socket in handles.Select(h => new Socket(new SafeSocketHandle(h, ownsHandle: true))))
        {
            Share(socket);
            _inherited.Add(socket);
        }
    }

    /// <summary>Binds what is not inherited, before anything is served: an address that cannot be had ends this proxy, and no connection
    /// with it.</summary>
    public void Prepare(IEnumerable<IPEndPoint> wanted)
    {
        foreach (var at in wanted.Where(at => _inherited.All(s => !at.Equals(s.LocalEndPoint))))
            _bound.Add(SocketTransportOptions.CreateDefaultBoundListenSocket(at));
    }

    /// <summary>For Kestrel, for each of its endpoints.</summary>
    public Socket Bind(EndPoint endpoint)
    {
        if (endpoint is not IPEndPoint)
            return SocketTransportOptions.CreateDefaultBoundListenSocket(endpoint);
        lock (_lock)
        {
            var socket = Take(_inherited, endpoint)
                ?? Take(_bound, endpoint)
                ?? SocketTransportOptions.CreateDefaultBoundListenSocket(endpoint);
            _listening.Add(socket);
            return socket;
        }
    }

    /// <summary>Where it listens.</summary>
    public IReadOnlyList<IPEndPoint> Addresses
    {
        get
        {
            lock (_lock)
                return [.. _listening.Select(s => (IPEndPoint)s.LocalEndPoint!)];
        }
    }

    /// <summary>To another process, which shares them from now on.</summary>
    public IReadOnlyList<SafeHandle> Give()
    {
        lock (_lock)
        {
            _listening.ForEach(Share);
            return [.. _listening.Select(s => s.SafeHandle)];
        }
    }

    /// <summary>Takes no more connections. Whoever has the same sockets goes on with them, also with connections that wait there.</summary>
    public void Close()
    {
        lock (_lock)
        {
            _listening.ForEach(Share);
            _listening.ForEach(s => s.Dispose());
            _listening.Clear();
        }
    }

    /// <summary>Those that nobody wanted: they are another proxy's, or were.</summary>
    public void DropUnwanted()
    {
        lock (_lock)
        {
            foreach (var socket in (IEnumerable<Socket>)[.. _inherited, .. _bound])
                socket.Dispose();
            _inherited.Clear();
            _bound.Clear();
        }
    }

    public void Dispose() => DropUnwanted();

    private static Socket? Take(List<Socket> from, EndPoint endpoint)
    {
        var found = from.Find(s => endpoint.Equals(s.LocalEndPoint));
        if (found is not null)
            from.Remove(found);
        return found;
    }

    // What .NET does to a socket that it closes while an accept is pending, it does to all who have it: it disconnects what is not
    // inherited by programs, and else has it, and whatever comes of it, reset its connections (SO_LINGER), unless it was shut down for
    // sending, which means nothing to a socket that listens.
    private static void Share(Socket socket)
    {
        Posix.Inherit(socket.SafeHandle);
        socket.LingerState = new LingerOption(false, 0);
        socket.Shutdown(SocketShutdown.Send);
    }
}
