using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using System.Threading.Channels;
using Mcp.Machine;

namespace Mcp.Runtimes.Qemu.Control;

/// <summary>One conversation with the init of a microvm by way of a virtio-serial port: any number of requests at the same time, a line
/// each, answered in any order; channel.sh has the words. The guest is not trusted: what it says is bounded, and only what belongs to a
/// request is heard.</summary>
internal sealed class GuestChannel : IAsyncDisposable
{
    /// <summary>Rises when the host may no longer speak to guests of before as it speaks to new ones.</summary>
    public const int Version = 1;

    /// <summary>In the machine directory. QEMU serves one connection at a time.</summary>
    public const string SocketName = "control.sock";

    /// <summary>Of one request, so that the guest's shell has it at once.</summary>
    public const int MostText = 32 * 1024;
    private const int MostAtOnce = 16;
    private const int MostLine = 24 * 1024;

    // What a guest may say beside answers, such as the answers to those who asked before, and for each request.
    private const long MostUnasked = 2 * 1024 * 1024;
    private const long MostAnswer = 128 * 1024;
    private static readonly TimeSpan s_late = TimeSpan.FromSeconds(5);
    private readonly Stream _stream;
    private readonly CancellationTokenSource _end = new();
    private readonly SemaphoreSlim _turn = new(MostAtOnce, MostAtOnce);
    private readonly Channel<byte[]> _outgoing = Channel.CreateUnbounded<byte[]>();
    private readonly ConcurrentDictionary<string, GuestRequest> _asked = new(StringComparer.Ordinal);
    private readonly string _name = Guid.NewGuid().ToString("N")[..12];
    private readonly Task _talking;
    private long _mayHear = MostUnasked;
    private int _last;
    private volatile Exception? _broken;

    /// <param name="stream">Its own from now on.</param>
    public GuestChannel(Stream stream)
    {
        _stream = stream;
        _talking = Task.WhenAll(EndingAsync(HearAsync), EndingAsync(SayAsync));
    }

    /// <summary>QEMU's arguments for it.</summary>
    public static IReadOnlyList<string> Arguments =>
    [
        "-device", "virtio-serial-pci,id=serial,max_ports=2",
        "-chardev", $"socket,id=control,path={SocketName},server=on,wait=off",
        "-device", "virtserialport,bus=serial.0,nr=1,chardev=control,name=mcp.control",
    ];

    public bool IsBroken => _broken is not null;

    /// <summary>Whether a TCP port is listened on, for others than the guest itself.</summary>
    /// <exception cref="IOException">The guest went away, or answers what is no answer.</exception>
    public async Task<bool> ListensAsync(int port, CancellationToken ct)
    {
        var answer = await AskAsync(string.Create(CultureInfo.InvariantCulture, $"listens {port:X4}"), ct);
        return answer.Code switch
        {
            0 => true,
            1 => false,
            _ => throw new IOException("the guest cannot tell what listens in it"),
        };
    }

    /// <summary>Runs a shell text as the guest's root, and kills it with all that it has started when its time is over.</summary>
    /// <exception cref="IOException">The guest went away, or is silent.</exception>
    public async Task<GuestAnswer> RunAsync(string text, TimeSpan limit, CancellationToken ct)
    {
        using var late = new Within(limit + s_late, ct);
        try
        {
            var encoded = Convert.ToBase64String(Encoding.UTF8.GetBytes(text));
            return await AskAsync(string.Create(CultureInfo.InvariantCulture, $"run {limit.TotalSeconds:0.###} {encoded}"), late.Token);
        }
        catch (OperationCanceledException e) when (late.IsOver)
        {
            throw new IOException("the guest does not answer", e);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await _talking;
        _end.Dispose();
        _turn.Dispose();
    }

    private async Task<GuestAnswer> AskAsync(string what, CancellationToken ct)
    {
        await _turn.WaitAsync(ct);
        var id = string.Create(CultureInfo.InvariantCulture, $"{_name}.{Interlocked.Increment(ref _last)}");
        var request = _asked[id] = new GuestRequest();
        try
        {
            Interlocked.Add(ref _mayHear, MostAnswer);
            // A line of its own, whatever was said before.
            _outgoing.Writer.TryWrite(Encoding.ASCII.GetBytes($"\n{id} {what}\n"));
            if (_broken is { } why)
                request.Fail(why);
            return await request.Answer.WaitAsync(ct);
        }
        finally
        {
            _asked.TryRemove(id, out _);
            _turn.Release();
        }
    }

    private async Task HearAsync(CancellationToken ct)
    {
        var (buffer, line, isTooLong) = (new byte[MostLine], new List<byte>(), false);
        while (await _stream.ReadAsync(buffer, ct) is > 0 and var read)
        {
            if (Interlocked.Add(ref _mayHear, -read) < 0)
                throw new IOException("the guest says more than it was asked");
            foreach (var b in buffer.AsSpan(0, read))
            {
                if (b != '\n')
                {
                    isTooLong |= line.Count == MostLine;
                    if (!isTooLong)
                        line.Add(b);
                    continue;
                }

                if (!isTooLong)
                    Hear(Encoding.Latin1.GetString([.. line]));
                line.Clear();
                isTooLong = false;
            }
        }

        throw new IOException("the VM went away");
    }

    private void Hear(string line)
    {
        var space = line.IndexOf(' ', StringComparison.Ordinal);
        if (space > 0 && _asked.TryGetValue(line[..space], out var request))
            request.Hear(line.AsSpan(space + 1));
    }

    private async Task SayAsync(CancellationToken ct)
    {
        await foreach (var line in _outgoing.Reader.ReadAllAsync(ct))
            await _stream.WriteAsync(line, ct);
    }

    private async Task EndingAsync(Func<CancellationToken, Task> talk)
    {
        try
        {
            await talk(_end.Token);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or ObjectDisposedException)
        {
            _broken ??= e as IOException ?? new IOException("the conversation with the guest is over", e);
            foreach (var request in _asked.Values)
                request.Fail(_broken);
            await _stream.DisposeAsync();
        }
    }
}
