using System.CommandLine;
using Google.Protobuf;
using Grpc.Core;
using Mcp.Cli.Connection;
using Mcp.Cli.Output;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Protocol.V1;

namespace Mcp.Cli.Commands;

/// <summary>push, pull: single files of a service's own directory on the node.</summary>
internal static class FileCommands
{
    private const int ChunkBytes = 64 * 1024;
    private const UnixFileMode Permissions = (UnixFileMode)0x1FF;

    public static IEnumerable<Command> All()
    {
        var service = new Argument<string>("service");
        var local = new Argument<string>("file") { Description = "a file on this machine" };
        var target = new Argument<string?>("path")
        {
            Arity = ArgumentArity.ZeroOrOne,
            Description = "where, below the service's directory (default: the file's name)",
        };
        yield return AgentCommand.Create(
            "push", "Copy a file into a service's directory on the node", [service, local, target], (parsed, agent, printer, ct) =>
            PushAsync(agent, printer, parsed.GetValue(service)!, parsed.GetValue(local)!, parsed.GetValue(target), ct));
        var from = new Argument<string>("service");
        var path = new Argument<string>("path") { Description = "a file below the service's directory" };
        var to = new Argument<string?>("file")
        {
            Arity = ArgumentArity.ZeroOrOne,
            Description = "where on this machine (default: the path's last name; - for standard output)",
        };
        var force = new Option<bool>("--force") { Description = "overwrite a file that exists" };
        yield return AgentCommand.Create(
            "pull", "Copy a file out of a service's directory on the node", [from, path, to, force], (parsed, agent, _, ct) =>
        {
            var request = new PullFileRequest
            {
                Service = Label.Parse(parsed.GetValue(from)!).Text,
                Path = Below(parsed.GetValue(path)!, parsed.GetValue(from)!),
            };
            return PullAsync(agent, request, parsed.GetValue(to), parsed.GetValue(force), ct);
        });
    }

    private static string Below(string path, string service) => path.Split('/').Contains("..")
        ? throw new McpException(
            ErrorCode.Usage,
            $"'{Label.Clip(path)}' lies outside of the service's directory",
            $"a path below /srv/{Label.Parse(service)}/, without ..")
        : path;

    private static async Task<int> PushAsync(
        AgentConnection agent,
        Printer printer,
        string service,
        string local,
        string? target,
        CancellationToken ct)
    {
        if (Directory.Exists(local))
            throw new McpException(ErrorCode.FileMissing, $"'{local}' is a directory", "push copies one file at a time");
        if (!File.Exists(local))
            throw new McpException(ErrorCode.FileMissing, $"there is no file '{local}'", "push copies one file at a time");
        var path = Below(target ?? Path.GetFileName(local), service);
        await using var file = File.OpenRead(local);
        using var call = agent.Client.PushFile(agent.Changing(ct));
        var chunk = new FileChunk
        {
            Service = Label.Parse(service).Text,
            Path = path,
            Mode = (uint)(File.GetUnixFileMode(local) & Permissions),
        };
        try
        {
            var buffer = new byte[ChunkBytes];
            for (var first = true; ; first = false)
            {
                var read = await file.ReadAtLeastAsync(buffer, ChunkBytes, throwOnEndOfStream: false, ct);
                if (read == 0 && !first)
                    break;
                chunk.Data = ByteString.CopyFrom(buffer, 0, read);
                await call.RequestStream.WriteAsync(chunk, ct);
                chunk = new FileChunk();
            }

            await call.RequestStream.CompleteAsync();
        }
        catch (Exception e) when (e is RpcException or InvalidOperationException && !ct.IsCancellationRequested)
        {
            // The agent refused in the middle; its answer says why.
        }

        var reply = await call.ResponseAsync;
        printer.Show(reply, new Table(["PATH", "BYTES"], [[reply.Path, $"{reply.Bytes}"]]), "");
        return 0;
    }

    private static async Task<int> PullAsync(AgentConnection agent, PullFileRequest request, string? to, bool force, CancellationToken ct)
    {
        var name = request.Path[(request.Path.LastIndexOf('/') + 1)..];
        if (name.Length == 0)
            throw new McpException(ErrorCode.Usage, $"'{request.Path}' is a directory", "pull copies one file at a time");
        to = to is null ? name : Directory.Exists(to) ? Path.Combine(to, name) : to;
        if (Directory.Exists(to))
            throw new McpException(ErrorCode.Usage, $"'{to}' is a directory", "give a name for the file");
        if (to != "-" && !force && Path.Exists(to))
            throw new McpException(ErrorCode.Usage, $"{to} exists", "--force overwrites it");
        using var call = agent.Client.PullFile(request, to == "-" ? agent.Call(null, ct) : agent.Copying(ct));
        if (to == "-")
        {
            await using var output = Terminal.OpenOutput();
            await CopyAsync(call, output, ct);
            return 0;
        }

        var half = $"{to}.mcp-pull";
        try
        {
            // The file may hold secrets; it gets its own permissions when it is complete.
            await using (var file = new FileStream(half, new FileStreamOptions
            {
                Mode = FileMode.Create,
                Access = FileAccess.Write,
                UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            }))
            {
                var mode = await CopyAsync(call, file, ct);
                File.SetUnixFileMode(file.SafeFileHandle, mode);
            }

            File.Move(half, to, overwrite: true);
        }
        catch
        {
            File.Delete(half);
            throw;
        }

        await Console.Out.WriteLineAsync($"wrote {to}");
        return 0;
    }

    private static async Task<UnixFileMode> CopyAsync(AsyncServerStreamingCall<FileChunk> call, Stream output, CancellationToken ct)
    {
        UnixFileMode? mode = null;
        await foreach (var chunk in call.ResponseStream.ReadAllAsync(ct))
        {
            mode ??= (UnixFileMode)chunk.Mode & Permissions;
            await output.WriteAsync(chunk.Data.Memory, ct);
        }

        return mode ?? UnixFileMode.UserRead | UnixFileMode.UserWrite;
    }
}
