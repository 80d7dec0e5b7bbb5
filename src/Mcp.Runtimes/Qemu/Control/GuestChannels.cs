using Mcp.Machine;

namespace Mcp.Runtimes.Qemu.Control;

/// <summary>Conversations with guests: one for each VM, shared by all who ask at the same time, and ended with the last of them. QEMU
/// would let a second one wait for the end of the first.</summary>
internal sealed class GuestChannels
{
    private static readonly TimeSpan s_connect = TimeSpan.FromSeconds(5);
    private readonly Dictionary<string, Shared> _open = new(StringComparer.Ordinal);

    /// <param name="machine">The VM's machine directory.</param>
    /// <exception cref="IOException">The VM does not run, or its guest is silent or goes away.</exception>
    public async Task<T> AskAsync<T>(string machine, Func<GuestChannel, Task<T>> ask, CancellationToken ct)
    {
        var shared = Join(machine);
        try
        {
            return await ask(await shared.Channel.WaitAsync(ct));
        }
        finally
        {
            // One that still connects is ended when it has: nobody waits for that.
            if (Leave(machine, shared) && shared.EndAsync() is var end && shared.Channel.IsCompleted)
                await end;
        }
    }

    private Shared Join(string machine)
    {
        lock (_open)
        {
            // One that is broken, since the VM ended, is left to those who still have it.
            if (!_open.TryGetValue(machine, out var shared) || shared.IsBroken)
                _open[machine] = shared = new Shared(ConnectAsync(machine));
            shared.Users++;
            return shared;
        }
    }

    /// <returns>Whether it was the last one.</returns>
    private bool Leave(string machine, Shared shared)
    {
        lock (_open)
        {
            var isLast = --shared.Users == 0;
            if (isLast && _open.GetValueOrDefault(machine) == shared)
                _open.Remove(machine);
            return isLast;
        }
    }

    private static async Task<GuestChannel> ConnectAsync(string machine)
    {
        using var limit = new Within(s_connect, CancellationToken.None);
        try
        {
            return new GuestChannel(await MachineSocket.ConnectAsync(machine, GuestChannel.SocketName, limit.Token));
        }
        catch (OperationCanceledException e)
        {
            throw new IOException("the VM takes no connection", e);
        }
    }

    private sealed class Shared
    {
        private GuestChannel? _open;

        public Shared(Task<GuestChannel> connecting) => Channel = OpenAsync(connecting);

        public Task<GuestChannel> Channel { get; }

        public int Users { get; set; }

        public bool IsBroken => Channel.IsFaulted || _open is { IsBroken: true };

        public async Task EndAsync()
        {
            try
            {
                await using var ended = await Channel;
            }
            catch (IOException)
            {
                // Told to who asked.
            }
        }

        private async Task<GuestChannel> OpenAsync(Task<GuestChannel> connecting) => _open = await connecting;
    }
}
