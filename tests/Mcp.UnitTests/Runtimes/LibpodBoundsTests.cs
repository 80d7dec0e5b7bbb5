using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;
using Mcp.Machine;
using Mcp.Runtimes;
using Mcp.Runtimes.Podman;

namespace Mcp.UnitTests.Runtimes;

/// <summary>What podman says, however long it goes on.</summary>
public sealed class LibpodBoundsTests
{
    private const int Most = 64 * 1024;

    [Fact]
    public async Task Frames_are_joined_before_they_are_read_as_text()
    {
        var bytes = Encoding.UTF8.GetBytes("a€b");
        byte[] frames = [.. Frame(1, bytes.AsSpan(0, 2)), .. Frame(2, bytes.AsSpan(2)), .. Frame(1, []), .. Frame(1, "!"u8)];
        Assert.Equal("a€b!", await OutputAsync(frames));
        Assert.Equal("", await OutputAsync([]));
    }

    [Theory]
    [InlineData("Error: no frames at all\r\n")]
    [InlineData("short")]
    public async Task What_is_not_framed_is_kept_as_it_is(string text)
    {
        Assert.Equal(text, await OutputAsync(Encoding.UTF8.GetBytes(text)));
        Assert.Equal($"framed\n{text}", await OutputAsync([.. Frame(1, "framed\n"u8), .. Encoding.UTF8.GetBytes(text)]));
    }

    [Fact]
    public async Task A_frame_that_breaks_off_counts_as_far_as_it_came() =>
        Assert.Equal("half", await OutputAsync(Frame(1, "half of it"u8)[..12]));

    [Theory]
    [InlineData(10_000)]
    [InlineData(5_000_000)]
    public async Task Of_endless_output_64_KiB_are_kept(int frame)
    {
        await using var endless = new Endless(Frame(1, new byte[frame]), 300L << 20);
        var before = GC.GetAllocatedBytesForCurrentThread();
        var text = await LibpodStreams.OutputAsync(endless, Most, default);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 4 << 20);
        Assert.Equal(Most, text.Length);
    }

    [Fact]
    public async Task Of_an_endless_body_only_the_beginning_is_read()
    {
        await using var endless = new Endless(new byte[100]);
        using var content = new StreamContent(endless);
        Assert.Equal(1000, (await BoundedBody.ReadAsync(content, 1000, default)).Length);
        Assert.InRange(endless.Taken, 1000, 200_000);
    }

    [Fact]
    public async Task Lines_are_read_whole_and_one_without_end_is_an_error()
    {
        var lines = new List<string>();
        await foreach (var line in LibpodStreams.LinesAsync(new MemoryStream("a\r\n\n{\"b\":\"€\"}\nlast"u8.ToArray()), default))
            lines.Add(line);
        Assert.Equal(["a", "{\"b\":\"€\"}", "last"], lines);
        await using var endless = new Endless(new byte[1000]);
        await Assert.ThrowsAsync<LibpodException>(async () =>
        {
            await foreach (var _ in LibpodStreams.LinesAsync(endless, default))
                Assert.Fail("there is no line");
        });
        Assert.InRange(endless.Taken, 0, 8 << 20);
    }

    [Theory]
    [InlineData("200 OK")]
    [InlineData("500 Internal Server Error")]
    public async Task A_podman_that_answers_without_end_is_told_as_that(string status)
    {
        var directory = Directory.CreateTempSubdirectory("mcp-podman").FullName;
        var path = Path.Combine(directory, "podman.sock");
        using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path));
        listener.Listen();
        var serving = FloodAsync(listener, status);
        using (var runtime = new PodmanRuntime(new PodmanOptions { Socket = path, StartService = false }))
        {
            var told = Assert.IsType<RuntimeAvailability.Unusable>(await runtime.ProbeAsync(default));
            Assert.Contains("longer than 32 MiB", told.Reason, StringComparison.Ordinal);
        }

        await serving;
        Directory.Delete(directory, recursive: true);
    }

    private static async Task FloodAsync(Socket listener, string status)
    {
        using var client = await listener.AcceptAsync();
        try
        {
            await client.ReceiveAsync(new byte[4096]);
            await client.SendAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n\r\n"));
            var more = new byte[1 << 20];
            Array.Fill(more, (byte)' ');
            // Long enough for a limit in time to come too late.
            for (var i = 0; i < 4096; i++)
                await client.SendAsync(more);
        }
        catch (SocketException)
        {
            // Whoever asked has had enough.
        }
    }

    private static Task<string> OutputAsync(byte[] bytes) => LibpodStreams.OutputAsync(new MemoryStream(bytes), Most, default);

    private static byte[] Frame(byte stream, ReadOnlySpan<byte> payload)
    {
        var frame = new byte[8 + payload.Length];
        frame[0] = stream;
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(4), payload.Length);
        payload.CopyTo(frame.AsSpan(8));
        return frame;
    }

    // The same again and again, up to so many bytes.
    private sealed class Endless(byte[] piece, long most = long.MaxValue) : Stream
    {
        private int _at;

        public long Taken { get; private set; }

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (Taken >= most)
                return ValueTask.FromResult(0);
            var count = Math.Min(buffer.Length, piece.Length - _at);
            piece.AsSpan(_at, count).CopyTo(buffer.Span);
            _at = (_at + count) % piece.Length;
            Taken += count;
            return ValueTask.FromResult(count);
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
