using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Mcp.Agent.Edge.Certificates;
using Mcp.Agent.Registry;
using Mcp.Daemon.Identity;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Model.Routes;
using Microsoft.Extensions.Time.Testing;

namespace Mcp.UnitTests.Edge;

/// <summary>Certificates of public hostnames over time, with files that somebody else keeps as their source.</summary>
public sealed class CertificateKeeperTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-certificates").FullName;
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 11, 24, 12, 0, 0, TimeSpan.Zero));
    private readonly CertificateAuthority _authority;
    private readonly AgentRegistry _registry;
    private readonly CertificateStore _store;
    private readonly CertificateKeeper _keeper;
    private readonly EdgeRoute _route;

    public CertificateKeeperTests()
    {
        _authority = CertificateAuthority.Create(_directory, "ca", _time.GetUtcNow().AddDays(-30));
        _registry = AgentRegistry.Open(Path.Combine(_directory, "registry.db"), _time);
        _store = new CertificateStore(Path.Combine(_directory, "kept"), _time);
        Directory.CreateDirectory(Files);
        _keeper = new CertificateKeeper(_store, new OperatorFiles(Files), _registry.Events, _time);
        _route = new EdgeRoute(Host("a.example.com"), Label.Parse("a"), Host("a.mcp.internal"), 8444, "", []);
    }

    private string Files => Path.Combine(_directory, "files");

    [Fact]
    public async Task A_certificate_is_taken_kept_secret_and_replaced_when_the_file_is()
    {
        var first = Give("a.example.com.pem", "a.example.com", TimeSpan.FromDays(90));
        await _keeper.EnsureAsync(_route.Service, _route.Hostname, default);
        Assert.Equal(first, _keeper.Find(_route.Hostname)!.Leaf.SerialNumber);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_store.FileOf(_route.Hostname)));
        Assert.False(await _keeper.RenewAsync(_route, default));
        var second = Give("a.example.com.pem", "a.example.com", TimeSpan.FromDays(90));
        Assert.True(await _keeper.RenewAsync(_route, default));
        Assert.Equal(second, _keeper.Find(_route.Hostname)!.Leaf.SerialNumber);
        Assert.Contains(Events(), e => e.StartsWith("certificate.renewed a.example.com: until 2027-02-22", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("other.example.com", 90, "the certificate is not for a.example.com")]
    [InlineData("a.example.com", -1, "ended")]
    [InlineData("garbage", 0, "cannot be used")]
    public async Task A_wrong_file_is_refused_told_once_and_the_old_certificate_stays(string name, int days, string why)
    {
        var good = Give("a.example.com.pem", "a.example.com", TimeSpan.FromDays(90));
        await _keeper.EnsureAsync(_route.Service, _route.Hostname, default);
        if (name == "garbage")
            await File.WriteAllTextAsync(Path.Combine(Files, "a.example.com.pem"), "not a certificate");
        else
            Give("a.example.com.pem", name, TimeSpan.FromDays(days));
        for (var i = 0; i < 3; i++)
            Assert.False(await _keeper.RenewAsync(_route, default));
        Assert.Equal(good, _keeper.Find(_route.Hostname)!.Leaf.SerialNumber);
        Assert.Contains(
            why,
            Assert.Single(Events(), e => e.StartsWith("certificate.failed", StringComparison.Ordinal)),
            StringComparison.Ordinal);
        Assert.Contains(why, _keeper.TroubleOf(_route.Service, _route.Hostname), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_key_of_another_certificate_is_refused()
    {
        Give("a.example.com.pem", "a.example.com", TimeSpan.FromDays(90));
        Give("b.pem", "a.example.com", TimeSpan.FromDays(90));
        var (mine, other) = (await File.ReadAllTextAsync(Path.Combine(
            Files,
            "a.example.com.pem")), await File.ReadAllTextAsync(Path.Combine(Files, "b.pem")));
        var start = "-----BEGIN PRIVATE KEY";
        await File.WriteAllTextAsync(
            Path.Combine(Files, "a.example.com.pem"),
            mine[..mine.IndexOf(start, StringComparison.Ordinal)] + other[other.IndexOf(start, StringComparison.Ordinal)..]);
        Assert.Equal(
            ErrorCode.CertificateWrong,
            (await Assert.ThrowsAsync<McpException>(() => _keeper.EnsureAsync(_route.Service, _route.Hostname, default))).Code);
        Assert.Null(_keeper.Find(_route.Hostname));
    }

    [Fact]
    public async Task Crt_and_key_and_one_for_all_names_below_a_domain_are_found_too()
    {
        Assert.Contains(
            "there is no certificate for a.example.com",
            (await Assert.ThrowsAsync<McpException>(() => _keeper.EnsureAsync(_route.Service, _route.Hostname, default))).Message,
            StringComparison.Ordinal);
        var wild = Give("_.example.com.pem", "*.example.com", TimeSpan.FromDays(90));
        await _keeper.EnsureAsync(_route.Service, _route.Hostname, default);
        Assert.Equal(wild, _keeper.Find(_route.Hostname)!.Leaf.SerialNumber);
        var own = Give("whole", "a.example.com", TimeSpan.FromDays(90));
        var pem = await File.ReadAllTextAsync(Path.Combine(Files, "whole"));
        var key = pem.IndexOf("-----BEGIN PRIVATE KEY", StringComparison.Ordinal);
        await File.WriteAllTextAsync(Path.Combine(Files, "a.example.com.crt"), pem[..key]);
        await File.WriteAllTextAsync(Path.Combine(Files, "a.example.com.key"), pem[key..]);
        Assert.True(await _keeper.RenewAsync(_route, default));
        Assert.Equal(own, _keeper.Find(_route.Hostname)!.Leaf.SerialNumber);
    }

    [Fact]
    public async Task The_end_is_told_two_weeks_before_once_and_again_when_it_has_come()
    {
        Give("a.example.com.pem", "a.example.com", TimeSpan.FromDays(90));
        await _keeper.EnsureAsync(_route.Service, _route.Hostname, default);
        _time.Advance(TimeSpan.FromDays(75));
        await _keeper.RenewAsync(_route, default);
        Assert.Empty(Events());
        _time.Advance(TimeSpan.FromDays(2));
        for (var i = 0; i < 3; i++)
            await _keeper.RenewAsync(_route, default);
        Assert.Contains("a.example.com: ends 2027-02-22 12:00:00Z; ", Assert.Single(Events()), StringComparison.Ordinal);
        _time.Advance(TimeSpan.FromDays(14));
        await _keeper.RenewAsync(_route, default);
        Assert.Contains(Events(), e => e.StartsWith("certificate.expired", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_short_life_is_not_near_its_end_all_the_time()
    {
        Give("a.example.com.pem", "a.example.com", TimeSpan.FromDays(6));
        await _keeper.EnsureAsync(_route.Service, _route.Hostname, default);
        await _keeper.RenewAsync(_route, default);
        Assert.Empty(Events());
        _time.Advance(TimeSpan.FromDays(5));
        await _keeper.RenewAsync(_route, default);
        Assert.Single(Events(), e => e.StartsWith("certificate.expiring", StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_has_no_route_is_swept_and_what_is_being_written_is_not()
    {
        Give("a.example.com.pem", "a.example.com", TimeSpan.FromDays(90));
        Give("b.example.com.pem", "b.example.com", TimeSpan.FromDays(90));
        await _keeper.EnsureAsync(_route.Service, _route.Hostname, default);
        await _keeper.EnsureAsync(_route.Service, Host("b.example.com"), default);
        await File.WriteAllTextAsync(_store.FileOf(_route.Hostname) + ".new", "half");
        await File.WriteAllTextAsync(_store.FileOf(Host("c.example.com")) + ".new", "half");
        _keeper.KeepOnly(() => [_route.Hostname]);
        Assert.Equal(
            ["a.example.com.pem", "a.example.com.pem.new"],
            Directory.GetFiles(Path.Combine(_directory, "kept")).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    public void Dispose()
    {
        _registry.Dispose();
        _authority.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    private static Hostname Host(string text) => Hostname.TryParse(text, out var host) ? host : throw new ArgumentException(text);

    private List<string> Events() => _registry.Events.After(0, 100).ConvertAll(e => $"{e.Kind} {e.Detail}");

    // Writes certificate, chain and key; the serial number.
    private string Give(string file, string name, TimeSpan life)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=x", key, HashAlgorithmName.SHA256).CreateSigningRequestPem();
        var begin = life < TimeSpan.Zero ? _time.GetUtcNow() + (2 * life) : _time.GetUtcNow();
        using var signed = _authority.SignServer(request, name, [name], begin, life.Duration());
        File.WriteAllText(
            Path.Combine(Files, file),
            $"{signed.ExportCertificatePem()}\n{_authority.Certificate.ExportCertificatePem()}\n{key.ExportPkcs8PrivateKeyPem()}");
        return signed.SerialNumber;
    }
}
