using System.Buffers;
using System.Buffers.Binary;
using System.Collections.Concurrent;
using Mcp.Daemon.Doors;
using Mcp.Daemon.Identity;
using Mcp.Protocol.V1;

namespace Mcp.Master.Rpc;

/// <summary>
/// Middleware before gRPC for what nodes call. A node has four calls under way at most; its heartbeat is looked at before it becomes objects, as two bytes of it can become two hundred.
/// What is too much is cut off, and told in the log once in ten minutes.
/// </summary>
internal sealed class HeartbeatDoor(TimeProvider time)
{
    private const string Path = "/mcp.v1.Master/Heartbeat";
    private const int MostCalls = 4;

    // A node with some 15,000 components.
    private const int Longest = 4 * 1024 * 1024;
    private const int MostParts = 400_000;

    // One byte says whether it is compressed, four how long it is: gRPC over HTTP/2.
    private const int PrefixBytes = 5;
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

        var calls = _underWay.AddOrUpdate(node.Name.Text, 1, static (_, n) => n + 1);
        try
        {
            if (calls > MostCalls)
                Refuse(context, $"{node.Name} makes more than {MostCalls} calls at once");
            else if (context.Request.Path != Path || await IsBoundedAsync(context))
                await next(context);
            else
                Refuse(context, $"a heartbeat of {node.Name} has more than {Longest} bytes or {MostParts} parts");
        }
        finally
        {
            if (_underWay.AddOrUpdate(node.Name.Text, 0, static (_, n) => n - 1) == 0)
                _underWay.TryRemove(KeyValuePair.Create(node.Name.Text, 0));
        }
    }

    // Reads it, and puts it back.
    private static async Task<bool> IsBoundedAsync(HttpContext context)
    {
        using var whole = new MemoryStream();
        var buffer = new byte[64 * 1024];
        int read;
        while ((read = await context.Request.Body.ReadAsync(buffer, context.RequestAborted)) > 0)
        {
            if (whole.Length + read > Longest)
                return false;
            await whole.WriteAsync(buffer.AsMemory(0, read), context.RequestAborted);
        }

        var bytes = whole.ToArray();
        // Compressed it could be anything; agents do not compress.
        if (bytes.Length < PrefixBytes || bytes[0] != 0 || BinaryPrimitives.ReadUInt32BigEndian(bytes.AsSpan(1)) != bytes.Length - PrefixBytes)
            return false;
        if (WireCheck.Of(new ReadOnlySequence<byte>(bytes, PrefixBytes, bytes.Length - PrefixBytes), HeartbeatRequest.Descriptor, MostParts).Parts > MostParts)
            return false;
        context.Request.Body = new MemoryStream(bytes, writable: false);
        return true;
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
