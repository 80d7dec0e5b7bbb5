using System.Net;
using Mcp.Daemon.Identity;
using Mcp.Master;
using Mcp.Master.Dns;
using Mcp.Master.Dns.Builtin;
using Mcp.Master.Store;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.TestKit.Contracts;
using Mcp.TestKit.Fakes;
using Microsoft.Extensions.Time.Testing;

namespace Mcp.UnitTests.Master;

public sealed class FakeNamesTests : DnsProviderContract
{
    protected override Task<IDnsProvider> NewAsync() => Task.FromResult<IDnsProvider>(new FakeNames());
}

public sealed class BuiltinDnsTests : DnsProviderContract, IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-dns").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task Names_survive_a_restart()
    {
        await (await NewAsync()).SetAsync("blog", IPAddress.Parse("100.64.0.1"), default);
        Assert.Equal("blog", Assert.Single(await (await NewAsync()).ListOwnedAsync(default)).Name);
    }

    protected override Task<IDnsProvider> NewAsync() =>
        Task.FromResult<IDnsProvider>(new BuiltinDns(
            MasterStore.Open(Path.Combine(_directory, "master.db"), TimeProvider.System).DnsRecords,
            new Zone(MasterWorld.Host("mcp.internal"), IPAddress.Loopback, TimeSpan.FromSeconds(5), TimeProvider.System)));
}

public sealed class DnsReconcilerTests : IAsyncLifetime
{
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-dns-world").FullName;
    private readonly FakeNames _names = new();
    private CertificateAuthority _authority = null!;
    private FakeAgents _agents = null!;

    public async ValueTask InitializeAsync()
    {
        _authority = CertificateAuthority.Create(_directory, "test", TimeProvider.System.GetUtcNow());
        _agents = await FakeAgents.StartAsync(["alder"], _authority);
    }

    public async ValueTask DisposeAsync()
    {
        await _agents.DisposeAsync();
        _authority.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task Names_become_what_the_placements_say()
    {
        using var world = new MasterWorld(_directory, _agents, _names);
        await world.DeployAsync(MasterWorld.File("blog"));
        Assert.Empty(await world.Node.Dns!.MendAsync(default));
        _names.Records.TryRemove("blog", out _);
        _names.Records["web.blog"] = IPAddress.Parse("6.6.6.6");
        _names.Records["old.blog"] = IPAddress.Parse("6.6.6.6");
        _names.Records["gone"] = IPAddress.Parse("6.6.6.6");
        Assert.Equal(["blog", "gone", "old.blog", "web.blog"], (await world.Node.Dns.MendAsync(default)).Order(StringComparer.Ordinal));
        Assert.Equal(
            [("blog", "127.0.0.1"), ("web.blog", "127.0.0.1")],
            _names.Records.OrderBy(r => r.Key, StringComparer.Ordinal).Select(r => (r.Key, r.Value.ToString())));
        Assert.Empty(await world.Node.Dns.MendAsync(default));
    }

    [Fact]
    public async Task A_service_that_is_being_changed_is_left_alone()
    {
        using var world = new MasterWorld(_directory, _agents, _names);
        await world.DeployAsync(MasterWorld.File("blog"));
        _names.Records["blog"] = IPAddress.Parse("6.6.6.6");
        var reached = new TaskCompletionSource();
        var go = new TaskCompletionSource();
        _agents["alder"].Hook = async (what, _) =>
        {
            if (what == "deploy")
            {
                reached.SetResult();
                await go.Task;
            }
        };
        var deploy = world.DeployAsync(MasterWorld.File("blog", "v2"));
        await reached.Task;
        Assert.Empty(await world.Node.Dns!.MendAsync(default));
        go.SetResult();
        await deploy;
        Assert.Equal("127.0.0.1", _names.Records["blog"].ToString());
    }
}

public class SourceLimitTests
{
    [Fact]
    public void A_source_may_ask_so_much_a_second_and_others_as_much_again()
    {
        var time = new FakeTimeProvider();
        var limit = new SourceLimit(10, time);
        var (one, two) = (IPAddress.Parse("100.64.0.1"), IPAddress.Parse("100.64.0.2"));
        Assert.Equal(10, Enumerable.Range(0, 25).Count(_ => limit.May(one)));
        Assert.True(limit.May(two));
        time.Advance(TimeSpan.FromMilliseconds(500));
        Assert.Equal(5, Enumerable.Range(0, 25).Count(_ => limit.May(one)));
        Assert.Equal(1000, Enumerable.Range(0, 1000).Count(_ => new SourceLimit(0, time).May(one)));
    }
}

public sealed class MasterConfigTests : IDisposable
{
    private readonly string _file = Path.GetTempFileName();

    public void Dispose() => File.Delete(_file);

    [Fact]
    public void Mistakes_in_dns_are_told_all_at_once_and_where()
    {
        File.WriteAllText(
            _file,
            "name = \"main\"\nlisten = \"100.64.0.1:7443\"\nstate = \"/tmp\"\nzone = \"internal\"\n[dns]\nprovider = \"rfc2136\"\nserver = "
                + "\"nowhere\"\nkey_name = \"a b\"\nsurprise = 1\n");
        var e = Assert.Throws<ServiceFileException>(() => MasterConfig.Read(_file));
        Assert.Equal([4, 5, 7, 8, 9], e.Problems.Select(p => p.Line).Order());
        Assert.All(
            (string[])["'zone'", "'key_file'", "'server'", "'key_name'", "'surprise'"],
            k => Assert.Contains(k, e.Message, StringComparison.Ordinal));
    }

    [Fact]
    public void A_secret_that_others_may_read_is_refused()
    {
        File.WriteAllText(_file, "c2VjcmV0\n");
        File.SetUnixFileMode(_file, UnixFileMode.UserRead | UnixFileMode.GroupRead);
        var options = new DnsOptions
        {
            Kind = DnsKind.Rfc2136,
            KeyFile = _file,
        };
        Assert.Equal(ErrorCode.DnsKey, Assert.Throws<McpException>(options.Secret).Code);
        File.SetUnixFileMode(_file, UnixFileMode.UserRead);
        Assert.Equal("secret"u8.ToArray(), options.Secret());
    }
}
