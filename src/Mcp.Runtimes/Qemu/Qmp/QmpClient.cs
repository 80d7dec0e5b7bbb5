using System.Text;
using System.Text.Json;

namespace Mcp.Runtimes.Qemu.Qmp;

/// <summary>One conversation with a VM's monitor: greeting, capabilities, then commands, each answer awaited and read.
/// https://www.qemu.org/docs/master/interop/qmp-spec.html</summary>
internal sealed class QmpClient : IAsyncDisposable
{
    /// <summary>The socket for commands, and the one on which the keeper listens for events.</summary>
    public const string CommandSocket = "qmp.sock";
    public const string EventSocket = "events.sock";
    private readonly Stream _stream;
    private readonly StreamReader _reader;

    private QmpClient(Stream stream)
    {
        _stream = stream;
        _reader = new StreamReader(stream, Encoding.UTF8);
    }

    /// <param name="directory">The machine directory.</param>
    /// <exception cref="IOException">Nobody listens, or not QEMU.</exception>
    public static async Task<QmpClient> ConnectAsync(string directory, string name, CancellationToken ct)
    {
        var stream = await MachineSocket.ConnectAsync(directory, name, ct);
        try
        {
            var client = new QmpClient(stream);
            using var greeting = await client.ReadAsync(ct);
            if (!greeting.RootElement.TryGetProperty("QMP", out _))
                throw new IOException("the monitor does not speak QMP");
            await client.CallAsync("qmp_capabilities", ct);
            return client;
        }
        catch
        {
            await stream.DisposeAsync();
            throw;
        }
    }

    /// <exception cref="IOException">QEMU refused, or went away.</exception>
    public async Task<JsonElement> CallAsync(string command, CancellationToken ct)
    {
        await _stream.WriteAsync(Encoding.UTF8.GetBytes($"{{\"execute\":\"{command}\"}}\n"), ct);
        while (true)
        {
            using var answer = await ReadAsync(ct);
            // Events come in between.
            if (answer.RootElement.TryGetProperty("return", out var result))
                return result.Clone();
            if (answer.RootElement.TryGetProperty("error", out var error))
                throw new IOException($"QEMU refuses {command}: {error.GetProperty("desc").GetString()}");
        }
    }

    /// <summary>Waits for the next event.</summary>
    /// <exception cref="IOException">QEMU went away.</exception>
    public async Task<(string Name, JsonElement About)> EventAsync(CancellationToken ct)
    {
        while (true)
        {
            using var message = await ReadAsync(ct);
            if (message.RootElement.TryGetProperty("event", out var name))
                return (name.GetString() ?? "", message.RootElement.TryGetProperty("data", out var about) ? about.Clone() : default);
        }
    }

    public async ValueTask DisposeAsync()
    {
        _reader.Dispose();
        await _stream.DisposeAsync();
    }

    private async Task<JsonDocument> ReadAsync(CancellationToken ct)
    {
        var line = await _reader.ReadLineAsync(ct) ?? throw new IOException("QEMU went away");
        try
        {
            return JsonDocument.Parse(line);
        }
        catch (JsonException e)
        {
            throw new IOException("the monitor does not speak QMP", e);
        }
    }
}
