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
    private readonly List<Socket> _listening = [];

    /// <summary>Takes over what a proxy before this one listens on; what is not wanted is closed with this.</summary>
    /// <param name="handles">Of listening TCP sockets.</param>
    public void Inherit(IEnumerable<nint> handles) =>
        _inherited.AddRange(handles.Select(h => new Socket(new SafeSocketHandle(h, ownsHandle: true))));

    /// <summary>For Kestrel, for each of its endpoints.</summary>
    public Socket Bind(EndPoint endpoint)
    {
        if (endpoint is not IPEndPoint)
            return SocketTransportOptions.CreateDefaultBoundListenSocket(endpoint);
        lock (_lock)
        {
            var there = _inherited.Find(s => endpoint.Equals(s.LocalEndPoint));
            var socket = there ?? SocketTransportOptions.CreateDefaultBoundListenSocket(endpoint);
            if (there is not null)
                _inherited.Remove(there);
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

    /// <summary>To be given away.</summary>
    public IReadOnlyList<SafeHandle> Handles
    {
        get
        {
            lock (_lock)
                return [.. _listening.Select(s => s.SafeHandle)];
        }
    }

    /// <summary>Takes no more connections. Whoever has the same sockets goes on with them, also with connections that wait there.</summary>
    public void Close()
    {
        lock (_lock)
        {
            foreach (var socket in _listening)
            {
                // .NET would else disconnect the socket for everybody before it closes it.
                Posix.Inherit(socket.SafeHandle);
                socket.Dispose();
            }

            _listening.Clear();
        }
    }

    /// <summary>Those that nobody wanted: they are another proxy's, or were.</summary>
    public void DropUnwanted()
    {
        lock (_lock)
        {
            foreach (var socket in _inherited)
            {
                Posix.Inherit(socket.SafeHandle);
                socket.Dispose();
            }

            _inherited.Clear();
        }
    }

    public void Dispose() => DropUnwanted();
}
