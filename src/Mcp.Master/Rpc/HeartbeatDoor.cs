using System.Buffers;
using System.Buffers.Binary;
using System.Collections.Concurrent;
using Mcp.Daemon.Doors;
using Mcp.Daemon.Identity;
using Mcp.Machine;
using Mcp.Protocol.V1;

namespace Mcp.Master.Rpc;

/// <summary>
/// Middleware before gRPC for what nodes call. A node's key has four calls under way at most; its heartbeat comes within 10 s and is looked
/// at before it becomes objects, as two bytes of it can become two hundred. All else that nodes say is short, and so is what a certificate
/// says that does not count any more. What is too much is cut off, and told in the log once in ten minutes.
/// </summary>
internal sealed class HeartbeatDoor(Nodes.Membership members, TimeProvider time)
{
    private const string Path = "/mcp.v1.Master/Heartbeat";
    private const int MostCalls = 4;

    // A node with some 15,000 components.
    private const int Longest = 4 * 1024 * 1024;
    private const int MostParts = 400_000;
    private const int LongestOther = 64 * 1024;

    // One byte says whether it is compressed, four how long it is: gRPC over HTTP/2.
    private const int PrefixBytes = 5;
    private static readonly TimeSpan s_body = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_tellAgain = TimeSpan.FromMinutes(10);
    private readonly ConcurrentDictionary<string, int> _underWay = new();
    private long _told;

    public async Task PassAsync(HttpContext context, RequestDelegate next)
    {
        if (context.Connection.ClientCertificate is not { } shown || PeerName.Of(shown) is not { IsMaster: false } node)
        {
            await next(context);
            return;
        }

        // Not by its name: somebody with that name may have been removed, and must not stand in the way of the next.
        var key = PeerName.KeyOf(shown);
        var calls = _underWay.AddOrUpdate(key, 1, static (_, n) => n + 1);
        try
        {
            var isHeartbeat = calls <= MostCalls && context.Request.Path == Path && members.Counts(node.Name, key);
            if (!isHeartbeat)
                KestrelDoors.KeepShort(context, LongestOther);
            if (calls > MostCalls)
                Refuse(context, $"{node.Name} makes more than {MostCalls} calls at once");
            else if (!isHeartbeat || await IsBoundedAsync(context))
            {
                await next(context);
            }
            else
            {
                Refuse(
                    context,
                    $"a heartbeat of {node.Name} has more than {Longest} bytes or {MostParts} parts, or did not come within "
                        + $"{s_body.TotalSeconds:0} s");
            }
        }
        finally
        {
            if (_underWay.AddOrUpdate(key, 0, static (_, n) => n - 1) == 0)
                _underWay.TryRemove(KeyValuePair.Create(key, 0));
        }
    }

    // Reads it, and puts it back.
    private async Task<bool> IsBoundedAsync(HttpContext context)
    {
        if (await ReadAsync(context) is not { } bytes)
            return false;
        // Compressed it could be anything; agents do not compress.
        if (bytes.Length < PrefixBytes
            || bytes[0] != 0
            || BinaryPrimitives.ReadUInt32BigEndian(bytes.AsSpan(1)) != bytes.Length - PrefixBytes)
        {
            return false;
        }

        if (WireCheck.Of(
            new ReadOnlySequence<byte>(bytes, PrefixBytes, bytes.Length - PrefixBytes),
            HeartbeatRequest.Descriptor,
            MostParts).Parts > MostParts)
        {
            return false;
        }

        context.Request.Body = new MemoryStream(bytes, writable: false);
        return true;
    }

    // Null: it is too long, or comes too slowly.
    private async Task<byte[]?> ReadAsync(HttpContext context)
    {
        using var limit = new Within(s_body, context.RequestAborted, time);
        using var whole = new MemoryStream();
        var buffer = new byte[64 * 1024];
        try
        {
            for (int read; (read = await context.Request.Body.ReadAsync(buffer, limit.Token)) > 0;)
            {
                if (whole.Length + read > Longest)
                    return null;
                await whole.WriteAsync(buffer.AsMemory(0, read), limit.Token);
            }
        }
        catch (OperationCanceledException) when (limit.IsOver)
        {
            return null;
        }

        return whole.ToArray();
    }

    private void Refuse(HttpContext context, string why)
    {
        context.Abort();
        var told = Volatile.Read(ref _told);
        if (told != 0 && time.GetElapsedTime(told) < s_tellAgain)
            return;
        Volatile.Write(ref _told, time.GetTimestamp());
        Console.Error.WriteLine(why);
    }
}
