using System.Net.Sockets;
using Mcp.Machine;

namespace Mcp.Runtimes.Qemu;

/// <summary>A socket of QEMU's in a VM's machine directory.</summary>
internal static class MachineSocket
{
    /// <param name="directory">Opened, and the socket reached through it: a Unix address has 108 bytes, a state directory any number.
    /// </param>
    /// <exception cref="IOException">Nobody listens.</exception>
    public static async Task<Stream> ConnectAsync(string directory, string name, CancellationToken ct)
    {
        using var handle = Posix.Directory(directory);
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint($"/proc/self/fd/{handle.DangerousGetHandle()}/{name}"), ct);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch (SocketException e)
        {
            socket.Dispose();
            throw new IOException($"the VM's {name} does not answer: {e.Message}", e);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
