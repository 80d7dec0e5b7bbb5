using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using ARSoft.Tools.Net.Dns;
using Mcp.Daemon.Doors;
using Mcp.Machine;

namespace Mcp.Master.Dns.Builtin;

/// <summary>One client's connection: a whole question within 5 s of the last one, its answer taken within 5 s, and at most 16 questions
/// ahead of their answers; else it is closed.</summary>
internal sealed class TcpQuestions(
    IServerTransport transport,
    Socket client,
    (IPEndPoint From, IPEndPoint To) ends,
    ConnectionSlot slot) : IServerConnection
{
    private const int LengthBytes = 2;
    private const int MostUnanswered = 16;
    private static readonly TimeSpan s_question = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_answer = TimeSpan.FromSeconds(5);
    private readonly SemaphoreSlim _answered = new(0);
    private readonly SemaphoreSlim _sending = new(1, 1);
    private int _unanswered;
    private volatile bool _over;

    public IServerTransport Transport => transport;

    public bool CanRead => client.Connected;

    public IPEndPoint RemoteEndPoint => ends.From;

    public IPEndPoint LocalEndPoint => ends.To;

    public Task<bool> InitializeAsync(CancellationToken token = default) => Task.FromResult(true);

    /// <summary>Null: there is no more. The library leaves it open then, so it is closed here, after the answers that are still to
    /// come.</summary>
    public async Task<DnsReceivedRawPackage?> ReceiveAsync(CancellationToken token = default)
    {
        var received = await ReadAsync(token);
        if (received is null)
        {
            _over = true;
            EndWhenAnswered();
            _ = EndAtLastAsync();
        }

        return received;
    }

    private async Task<DnsReceivedRawPackage?> ReadAsync(CancellationToken token)
    {
        try
        {
            using var limit = new Within(s_question, token);
            while (Volatile.Read(ref _unanswered) >= MostUnanswered)
                await _answered.WaitAsync(limit.Token);
            var length = new byte[LengthBytes];
            if (!await FillAsync(length, limit.Token))
                return null;
            var bytes = BinaryPrimitives.ReadUInt16BigEndian(length);
            if (bytes is < Question.Shortest or > Question.Longest)
                return null;
            // The library wants the length before the question.
            byte[] packet = [.. length, .. new byte[bytes]];
            if (!await FillAsync(packet.AsMemory(LengthBytes), limit.Token) || !Question.Is(packet.AsSpan(LengthBytes)))
                return null;
            Interlocked.Increment(ref _unanswered);
            slot.Begin();
            return new DnsReceivedRawPackage(packet, ends.From, ends.To);
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // Too slow, gone, or closed to make room.
            return null;
        }
    }

    public async Task<bool> SendAsync(DnsRawPackage package, CancellationToken token = default)
    {
        try
        {
            using var limit = new Within(s_answer, token);
            await _sending.WaitAsync(limit.Token);
            ReadOnlyMemory<byte> rest = package.ToArraySegment(true);
            while (rest.Length > 0)
                rest = rest[await client.SendAsync(rest, limit.Token)..];
            _sending.Release();
            Interlocked.Decrement(ref _unanswered);
            _answered.Release();
            slot.End();
            EndWhenAnswered();
            return true;
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // Half an answer may be sent, so nothing more can be.
            Dispose();
            return false;
        }
    }

    public void Dispose()
    {
        client.Dispose();
        slot.Dispose();
    }

    private void EndWhenAnswered()
    {
        if (_over && Volatile.Read(ref _unanswered) == 0)
            Dispose();
    }

    // Whatever becomes of the answers.
    private async Task EndAtLastAsync()
    {
        await Task.Delay(s_answer, TimeProvider.System);
        Dispose();
    }

    private async Task<bool> FillAsync(Memory<byte> buffer, CancellationToken ct)
    {
        while (buffer.Length > 0)
        {
            var read = await client.ReceiveAsync(buffer, ct);
            if (read == 0)
                return false;
            buffer = buffer[read..];
        }

        return true;
    }
}
