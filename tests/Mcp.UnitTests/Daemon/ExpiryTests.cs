using Mcp.Agent;
using Mcp.Agent.Registry;
using Mcp.Daemon.Events;
using Mcp.Daemon.Identity;
using Mcp.Model.Events;
using Microsoft.Extensions.Time.Testing;

namespace Mcp.UnitTests.Daemon;

/// <summary>Whatever ends is told before.</summary>
public sealed class ExpiryTests : IDisposable
{
    private static readonly DateTimeOffset s_begin = new(2026, 11, 25, 12, 0, 0, TimeSpan.Zero);
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-expiry").FullName;
    private readonly FakeTimeProvider _time = new(s_begin);
    private readonly AgentRegistry _registry;
    private readonly ExpiryWatch _watch;

    public ExpiryTests()
    {
        _registry = AgentRegistry.Open(Path.Combine(_directory, "registry.db"), _time);
        _watch = new ExpiryWatch(_registry.Events, _time);
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task An_end_is_told_once_before_it_and_once_when_it_is_there()
    {
        _watch.Watch(() => [new Expiry("certificate of this node", s_begin.AddDays(30), TimeSpan.FromDays(14), "do something")]);
        Assert.Empty(await LookAsync());
        _time.SetUtcNow(s_begin.AddDays(17));
        var soon = Assert.Single(await LookAsync());
        Assert.Equal(EventKind.CertificateExpiring, soon.Kind);
        Assert.Equal("certificate of this node: ends 2026-12-25 12:00:00Z; do something", soon.Detail);
        _time.SetUtcNow(s_begin.AddDays(29));
        Assert.Single(await LookAsync());
        _time.SetUtcNow(s_begin.AddDays(31));
        Assert.Equal(EventKind.CertificateExpired, (await LookAsync())[^1].Kind);
    }

    [Fact]
    public async Task An_agents_certificate_is_told_only_where_it_is_not_renewed_and_its_CA_half_a_year_before()
    {
        using (var authority = CertificateAuthority.Create(_directory, "mcp rift", s_begin))
            ServerCertificate.Create(_directory, authority, ["localhost"], s_begin);
        using var own = new ServerCertificate(_directory, _registry.Events, _time);
        _watch.Watch(() => own.Endings);
        for (var year = 1; year < 9; year++)
        {
            _time.SetUtcNow(s_begin.AddYears(year));
            Assert.True(own.Current.NotAfter > _time.GetUtcNow());
            Assert.DoesNotContain(await LookAsync(), IsEnding);
        }

        File.Move(Path.Combine(_directory, "ca.key"), Path.Combine(_directory, "aside"));
        _time.SetUtcNow(own.Current.NotAfter.AddDays(-13));
        Assert.Contains(await LookAsync(), e => IsEnding(e) && e.Detail.StartsWith("certificate of this agent", StringComparison.Ordinal));
        _time.SetUtcNow(s_begin.AddYears(10).AddDays(-170));
        Assert.Contains(await LookAsync(), e => IsEnding(e) && e.Detail.StartsWith("CA of this agent", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_token_that_ends_soon_is_told_once_when_it_is_used()
    {
        var signer = new TokenSigner(TokenSigner.NewKey(), _time);
        signer.Expiring += _watch.Hear;
        var (year, day) = (signer.Issue(
            "anna",
            Role.Admin,
            TimeSpan.FromDays(365)), signer.Issue("build", Role.Deployer, TimeSpan.FromDays(1)));
        await signer.VerifyAsync(year);
        await signer.VerifyAsync(day);
        Assert.Empty(_registry.Events.After(0, 10));
        _time.SetUtcNow(s_begin.AddHours(19));
        await signer.VerifyAsync(day);
        Assert.Contains("build", Assert.Single(_registry.Events.After(0, 10)).Detail, StringComparison.Ordinal);
        _time.SetUtcNow(s_begin.AddDays(352));
        for (var twice = 0; twice < 2; twice++)
            Assert.NotNull((await signer.VerifyAsync(year)).Caller);
        Assert.Equal([EventKind.TokenExpiring, EventKind.TokenExpiring], _registry.Events.After(0, 10).Select(e => e.Kind));
    }

    private static bool IsEnding(KeptEvent e) => e.Kind == EventKind.CertificateExpiring || e.Kind == EventKind.CertificateExpired;

    private async Task<List<KeptEvent>> LookAsync()
    {
        using var over = new CancellationTokenSource();
        var watching = _watch.RunAsync(over.Token);
        await over.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => watching);
        return _registry.Events.After(0, 100);
    }
}
