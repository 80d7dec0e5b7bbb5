using System.Buffers;
using System.Net.Security;
using CsCheck;
using Mcp.Agent.ProxyProcess;

namespace Mcp.UnitTests.Proxy;

public class ClientHelloTests
{
    [Theory]
    [InlineData("blog.example.com")]
    [InlineData("a")]
    public async Task The_name_in_a_real_client_hello_is_read(string host)
    {
        var hello = await RealHelloAsync(host);
        Assert.Equal(HelloState.Complete, ClientHello.Read(new ReadOnlySequence<byte>(hello), out var name));
        Assert.Equal(host, name);
    }

    [Fact]
    public async Task Every_prefix_of_a_hello_is_incomplete()
    {
        var hello = await RealHelloAsync("blog.example.com");
        for (var length = 0; length < hello.Length; length++)
            Assert.Equal(HelloState.Incomplete, ClientHello.Read(new ReadOnlySequence<byte>(hello, 0, length), out _));
    }

    [Fact]
    public async Task A_hello_split_over_records_is_read()
    {
        var hello = await RealHelloAsync("split.example.com");
        var message = hello.AsSpan(5).ToArray();
        var split = message.Chunk(50).SelectMany(part => (byte[])[22, 3, 1, 0, (byte)part.Length, .. part]).ToArray();
        Assert.Equal(HelloState.Complete, ClientHello.Read(new ReadOnlySequence<byte>(split), out var name));
        Assert.Equal("split.example.com", name);
    }

    [Theory]
    [InlineData("GET / HTTP/1.1\r\nHost: x\r\n\r\n")]
    [InlineData("SSH-2.0-OpenSSH_9.2\r\n")]
    public void What_is_not_tls_is_refused_at_once(string text) =>
        Assert.Equal(HelloState.NotTls, ClientHello.Read(new ReadOnlySequence<byte>(System.Text.Encoding.ASCII.GetBytes(text)), out _));

    [Fact]
    public void An_endless_hello_is_refused() =>
        Assert.Equal(
            HelloState.NotTls,
            ClientHello.Read(new ReadOnlySequence<byte>([22, 3, 1, 0x40, 0, 1, 0, 0x3F, 0xFF, .. new byte[ClientHello.MaxBytes]]), out _));

    [Fact]
    public async Task No_bytes_make_it_throw()
    {
        var hello = await RealHelloAsync("fuzz.example.com");
        Gen.Byte.Array[0, 300].Sample(bytes => ClientHello.Read(new ReadOnlySequence<byte>(bytes), out _));
        // Lengths that are wrong by a little, which is where a reader runs over the end.
        Gen.Select(Gen.Int[0, hello.Length - 1], Gen.Int[-4, 4]).Array[1, 4].Sample(changes =>
        {
            var bytes = hello.ToArray();
            foreach (var (at, by) in changes)
                bytes[at] = (byte)(bytes[at] + by);
            ClientHello.Read(new ReadOnlySequence<byte>(bytes), out _);
        }, iter: 20_000);
    }

    private static async Task<byte[]> RealHelloAsync(string host)
    {
        using var wire = new FirstWrite();
        await using var tls = new SslStream(wire);
        await Assert.ThrowsAnyAsync<Exception>(() => tls.AuthenticateAsClientAsync(host));
        return wire.ToArray();
    }

    /// <summary>Keeps what is written; whoever reads finds the end.</summary>
    private sealed class FirstWrite : MemoryStream
    {
        public override int Read(Span<byte> buffer) => 0;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            ValueTask.FromResult(0);
    }
}
