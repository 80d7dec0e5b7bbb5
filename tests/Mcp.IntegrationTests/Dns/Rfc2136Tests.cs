using System.Net;
using Mcp.Master.Dns;
using Mcp.Model.Errors;
using Mcp.TestKit.Contracts;

namespace Mcp.IntegrationTests.Dns;

/// <summary>The contract, and what is not mcp's, against a real server.</summary>
public abstract class Rfc2136Tests(Func<Task<NameServer>> start) : DnsProviderContract, IAsyncLifetime
{
    private NameServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await start();

    public ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return _server.DisposeAsync();
    }

    [Fact]
    public async Task Names_are_found_by_whoever_asks()
    {
        await _server.Provider().SetAsync("web.blog", IPAddress.Parse("100.64.0.7"), default);
        Assert.Equal("100.64.0.7", await _server.DigAsync($"web.blog.{NameServer.Zone}", "A"));
        Assert.Equal("\"mcp:main\"", await _server.DigAsync($"web.blog.{NameServer.Zone}", "TXT"));
        await _server.Provider().RemoveAsync("web.blog", default);
        Assert.Equal("", await _server.DigAsync($"web.blog.{NameServer.Zone}", "ANY"));
    }

    [Fact]
    public async Task A_name_that_is_not_mcps_is_neither_taken_nor_removed()
    {
        var e = await Assert.ThrowsAsync<McpException>(() => _server.Provider()
            .SetAsync(NameServer.Foreign, IPAddress.Parse("100.64.0.7"), default));
        Assert.Equal(ErrorCode.DnsForeign, e.Code);
        await _server.Provider().RemoveAsync(NameServer.Foreign, default);
        Assert.Equal("10.0.0.9", await _server.DigAsync($"{NameServer.Foreign}.{NameServer.Zone}", "A"));
        Assert.DoesNotContain(await _server.Provider().ListOwnedAsync(default), r => r.Name == NameServer.Foreign);
    }

    [Fact]
    public async Task What_the_server_lost_is_not_listed()
    {
        var dns = _server.Provider();
        await dns.SetAsync("blog", IPAddress.Parse("100.64.0.7"), default);
        // As another master of the same fleet's name, or an operator with the key, would.
        await using (var other = await NameServer.BindAsync())
            Assert.Empty(await other.Provider().ListOwnedAsync(default));
        Assert.Single(await dns.ListOwnedAsync(default));
    }

    [Fact]
    public async Task A_wrong_key_and_a_server_that_is_away_are_told_apart()
    {
        var e = await Assert.ThrowsAsync<McpException>(() => _server.Provider(new byte[32])
            .SetAsync("blog", IPAddress.Parse("100.64.0.7"), default));
        Assert.Equal(ErrorCode.DnsRefused, e.Code);
        await _server.EndAsync();
        Assert.Equal(
            ErrorCode.DnsUnreachable,
            (await Assert.ThrowsAsync<McpException>(() => _server.Provider()
                .SetAsync("blog", IPAddress.Parse("100.64.0.7"), default))).Code);
        Assert.Equal(
            ErrorCode.DnsUnreachable,
            (await Assert.ThrowsAsync<McpException>(() => _server.Provider().ListOwnedAsync(default))).Code);
    }

    protected override Task<IDnsProvider> NewAsync() => Task.FromResult<IDnsProvider>(_server.Provider());
}

public sealed class BindTests() : Rfc2136Tests(NameServer.BindAsync);

public sealed class KnotTests() : Rfc2136Tests(NameServer.KnotAsync);
