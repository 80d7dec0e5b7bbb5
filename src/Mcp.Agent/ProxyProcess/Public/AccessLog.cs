using System.Buffers;
using System.Text.Json;
using System.Threading.Channels;
using Mcp.Agent.ProxyProcess.Passing;
using Mcp.Machine;
using Yarp.ReverseProxy.Forwarder;

namespace Mcp.Agent.ProxyProcess.Public;

/// <summary>One JSON object a line for each request of the public, without query strings and headers, which may hold secrets. At LIMIT
/// bytes the file becomes access.log.1. A disk that does not keep up costs lines, never requests.</summary>
internal sealed class AccessLog : IAsyncDisposable
{
    private const long Limit = 50 * 1024 * 1024;
    private const int Waiting = 64 * 1024;
    private const int MostTries = 100;
    private static readonly TimeSpan s_otherWrites = TimeSpan.FromMilliseconds(10);
    private readonly Channel<Line>? _lines;
    private readonly Task _writing = Task.CompletedTask;
    private readonly string _file;
    private long _lost;

    /// <param name="file">Null: nothing is logged.</param>
    public AccessLog(string? file)
    {
        _file = file ?? "";
        if (file is null)
            return;
        Directory.CreateDirectory(Path.GetDirectoryName(file)!, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        _lines = Channel.CreateBounded<Line>(new BoundedChannelOptions(Waiting) { SingleReader = true });
        _writing = Task.Run(WriteAsync);
    }

    public void Write(PublicHost? host, HttpContext context, TimeSpan took)
    {
        if (_lines is null)
            return;
        var line = new Line
        {
            Time = TimeProvider.System.GetUtcNow(),
            Client = WhoAsks.Client(context).ToString(),
            Host = context.Request.Host.Host,
            Service = host?.Service ?? "",
            Method = context.Request.Method,
            Path = AsItCame.Target(context).Split('?')[0],
            Protocol = context.Request.Protocol,
            Status = context.Response.StatusCode,
            Took = took,
            Error = Error(context),
        };
        if (!_lines.Writer.TryWrite(line))
            Interlocked.Increment(ref _lost);
    }

    public async ValueTask DisposeAsync()
    {
        _lines?.Writer.Complete();
        await _writing;
    }

    private async Task WriteAsync()
    {
        var buffer = new ArrayBufferWriter<byte>();
        while (await _lines!.Reader.WaitToReadAsync())
        {
            buffer.ResetWrittenCount();
            while (buffer.WrittenCount < Waiting && _lines.Reader.TryRead(out var line))
                Format(line, buffer);
            try
            {
                await using (var log = await OpenAsync())
                {
                    await log.WriteAsync(buffer.WrittenMemory);
                    if (log.Position >= Limit)
                        File.Move(_file, _file + ".1", overwrite: true);
                }
            }
            catch (IOException e)
            {
                await Console.Error.WriteLineAsync($"access log: {e.Message}");
                await Task.Delay(TimeSpan.FromSeconds(1));
            }
        }
    }

    // Alone: a proxy that ends with its last connections writes here, too.
    private async Task<FileStream> OpenAsync()
    {
        for (var tries = 1; ; tries++)
        {
            try
            {
                return new FileStream(_file, new FileStreamOptions
                {
                    Mode = FileMode.Append,
                    Access = FileAccess.Write,
                    Share = FileShare.None,
                    UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead,
                });
            }
            catch (IOException e) when (e.HResult == Errno.Again && tries < MostTries)
            {
                await Task.Delay(s_otherWrites);
            }
        }
    }

    // What kept the request from the service, or its answer from the client.
    private static string? Error(HttpContext context) => context.Features.Get<IForwarderErrorFeature>() is { } failed
        ? $"{failed.Error}: {failed.Exception?.GetBaseException().Message}"
        : null;

    private void Format(Line line, ArrayBufferWriter<byte> buffer)
    {
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("time", line.Time);
            json.WriteString("client", line.Client);
            json.WriteString("host", line.Host);
            json.WriteString("service", line.Service);
            json.WriteString("method", line.Method);
            json.WriteString("path", line.Path);
            json.WriteString("protocol", line.Protocol);
            json.WriteNumber("status", line.Status);
            json.WriteNumber("ms", Math.Round(line.Took.TotalMilliseconds, 3));
            if (line.Error is not null)
                json.WriteString("error", line.Error);
            if (Interlocked.Exchange(ref _lost, 0) is var lost and > 0)
                json.WriteNumber("lost_before", lost);
            json.WriteEndObject();
        }

        buffer.Write("\n"u8);
    }

    private readonly record struct Line
    {
        public required DateTimeOffset Time { get; init; }

        public required string Client { get; init; }

        public required string Host { get; init; }

        public required string Service { get; init; }

        public required string Method { get; init; }

        public required string Path { get; init; }

        public required string Protocol { get; init; }

        public required int Status { get; init; }

        public required TimeSpan Took { get; init; }

        public required string? Error { get; init; }
    }
}
