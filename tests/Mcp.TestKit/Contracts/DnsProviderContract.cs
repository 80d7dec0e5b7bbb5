using System.Net;
using Mcp.Master.Dns;

namespace Mcp.TestKit.Contracts;

/// <summary>What every DNS provider promises.</summary>
public abstract class DnsProviderContract
{
    private static readonly IPAddress s_first = IPAddress.Parse("100.64.0.1");
    private static readonly IPAddress s_second = IPAddress.Parse("100.64.0.2");
    private static readonly IPAddress s_sixth = IPAddress.Parse("fd7a:115c:a1e0::6");

    /// <summary>A provider whose zone has no name of mcp's.</summary>
    protected abstract Task<IDnsProvider> NewAsync();

    [Fact]
    public async Task A_name_is_set_changed_and_removed()
    {
        var dns = await NewAsync();
        await dns.SetAsync("blog", s_first, default);
        await dns.SetAsync("web.blog", s_first, default);
        Assert.Equal([new DnsRecord("blog", s_first), new DnsRecord("web.blog", s_first)], await ListAsync(dns));
        await dns.SetAsync("blog", s_second, default);
        Assert.Equal([new DnsRecord("blog", s_second), new DnsRecord("web.blog", s_first)], await ListAsync(dns));
        await dns.RemoveAsync("blog", default);
        Assert.Equal([new DnsRecord("web.blog", s_first)], await ListAsync(dns));
    }

    [Fact]
    public async Task Everything_may_be_repeated()
    {
        var dns = await NewAsync();
        await dns.RemoveAsync("never", default);
        for (var i = 0; i < 2; i++)
            await dns.SetAsync("blog", s_first, default);
        Assert.Single(await ListAsync(dns));
        for (var i = 0; i < 2; i++)
            await dns.RemoveAsync("blog", default);
        Assert.Empty(await ListAsync(dns));
    }

    [Fact]
    public async Task A_name_goes_from_one_kind_of_address_to_the_other()
    {
        var dns = await NewAsync();
        foreach (var address in (IPAddress[])[s_first, s_sixth, s_second])
        {
            await dns.SetAsync("blog", address, default);
            Assert.Equal([new DnsRecord("blog", address)], await ListAsync(dns));
        }
    }

    [Fact]
    public async Task Names_are_set_side_by_side()
    {
        var dns = await NewAsync();
        await Task.WhenAll(Enumerable.Range(0, 20).Select(i => dns.SetAsync($"s{i}", s_first, default)));
        Assert.Equal(20, (await ListAsync(dns)).Count);
        await Task.WhenAll(Enumerable.Range(0, 20).Select(i => dns.RemoveAsync($"s{i}", default)));
        Assert.Empty(await ListAsync(dns));
    }

    private static async Task<List<DnsRecord>> ListAsync(IDnsProvider dns) =>
        [.. (await dns.ListOwnedAsync(default)).OrderBy(r => r.Name, StringComparer.Ordinal)];
}
