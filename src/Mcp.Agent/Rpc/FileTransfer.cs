using System.Runtime.CompilerServices;
using Google.Protobuf;
using Grpc.Core;
using Mcp.Agent.Files;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Protocol.V1;

namespace Mcp.Agent.Rpc;

/// <summary>Files as streams of chunks; the first one names the file.</summary>
internal static class FileTransfer
{
    private const int ChunkBytes = 64 * 1024;

    public static async Task<PushFileReply> PushAsync(ServiceFiles files, IAsyncStreamReader<FileChunk> chunks, CancellationToken ct)
    {
        if (!await chunks.MoveNext(ct))
            throw new McpException(ErrorCode.FilePath, "nothing was sent", "the first chunk names the service and the path");
        var head = chunks.Current;
        var (path, bytes) = await files.PushAsync(
            Label.Parse(head.Service), head.Path, (UnixFileMode)head.Mode, DataAsync(head, chunks, ct), ct);
        return new PushFileReply { Path = path, Bytes = bytes };
    }

    public static async Task PullAsync(
        ServiceFiles files,
        PullFileRequest request,
        IServerStreamWriter<FileChunk> output,
        CancellationToken ct)
    {
        var (file, mode) = files.Open(Label.Parse(request.Service), request.Path);
        using var open = file;
        var buffer = new byte[ChunkBytes];
        var at = 0L;
        do
        {
            var read = await RandomAccess.ReadAsync(file, buffer, at, ct);
            if (read == 0 && at > 0)
                return;
            var chunk = new FileChunk { Data = ByteString.CopyFrom(buffer, 0, read) };
            if (at == 0)
                (chunk.Service, chunk.Path, chunk.Mode) = (request.Service, request.Path, (uint)mode);
            await output.WriteAsync(chunk, ct);
            at += read;
        }
        while (at > 0);
    }

    private static async IAsyncEnumerable<ReadOnlyMemory<byte>> DataAsync(
        FileChunk head,
        IAsyncStreamReader<FileChunk> rest,
        [EnumeratorCancellation] CancellationToken ct)
    {
        yield return head.Data.Memory;
        while (await rest.MoveNext(ct))
            yield return rest.Current.Data.Memory;
    }
}
