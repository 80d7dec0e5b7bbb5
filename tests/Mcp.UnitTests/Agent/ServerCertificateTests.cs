using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Mcp.Agent;
using Mcp.Agent.Registry;
using Mcp.Daemon.Identity;
using Mcp.Model.Errors;
using Mcp.Model.Events;
using Microsoft.Extensions.Time.Testing;

namespace Mcp.UnitTests.Agent;

/// <summary>The certificate of an agent in no fleet, over the years.</summary>
public sealed class ServerCertificateTests : IDisposable
{
    private static readonly string[] s_hosts = ["127.0.0.1", "::1", "localhost", "rift", "192.0.2.7"];
    private static readonly DateTimeOffset s_begin = new(2026, 11, 25, 12, 0, 0, TimeSpan.Zero);
    private readonly string _state = Directory.CreateTempSubdirectory("mcp-server").FullName;
    private readonly FakeTimeProvider _time = new(s_begin);
    private readonly AgentRegistry _registry;

    public ServerCertificateTests()
    {
        _registry = AgentRegistry.Open(Path.Combine(_state, "registry.db"), _time);
        using var authority = CertificateAuthority.Create(_state, "mcp rift", s_begin);
        ServerCertificate.Create(_state, authority, s_hosts, s_begin);
    }

    public void Dispose() => Directory.Delete(_state, recursive: true);

    [Fact]
    public void It_is_renewed_while_connections_come_in_for_the_same_names_when_a_third_of_its_life_is_left()
    {
        using var own = Open();
        var first = own.Current.SerialNumber;
        _time.SetUtcNow(s_begin.AddDays(240));
        Assert.Equal(first, own.Current.SerialNumber);
        _time.SetUtcNow(s_begin.AddDays(250));
        Renewed(own, first);
        // What is on disk is what is shown, also to the next start.
        using var next = Open();
        Assert.Equal(own.Current.SerialNumber, next.Current.SerialNumber);
        Assert.Contains(_registry.Events.After(0, 10), e => e.Kind == EventKind.CertificateRenewed);
    }

    [Fact]
    public async Task It_is_renewed_although_nobody_connects()
    {
        using var own = Open();
        using var over = new CancellationTokenSource();
        var keeping = own.KeepAsync(over.Token);
        _time.Advance(TimeSpan.FromDays(250));
        while (_registry.Events.After(0, 10).Count == 0)
            await Task.Yield();
        Assert.Equal(EventKind.CertificateRenewed, Assert.Single(_registry.Events.After(0, 10)).Kind);
        await over.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => keeping);
    }

    [Theory]
    [InlineData(366)]
    [InlineData(3 * 365)]
    public void One_that_ended_while_the_machine_was_off_is_renewed_at_the_start(int days)
    {
        string first;
        using (var own = Open())
            first = own.Current.SerialNumber;
        _time.SetUtcNow(s_begin.AddDays(days));
        using var later = Open();
        Renewed(later, first);
    }

    [Fact]
    public void The_two_files_of_before_are_taken_and_renewed()
    {
        using var pem = X509Certificate2.CreateFromPemFile(ServerCertificate.FileOf(_state), ServerCertificate.FileOf(_state));
        File.WriteAllText(Path.Combine(_state, "server.crt"), pem.ExportCertificatePem());
        File.WriteAllText(Path.Combine(_state, "server.key"), pem.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem());
        File.Delete(ServerCertificate.FileOf(_state));
        using (var own = Open())
            Assert.Equal(pem.SerialNumber, own.Current.SerialNumber);
        _time.SetUtcNow(s_begin.AddDays(400));
        using var later = Open();
        Renewed(later, pem.SerialNumber);
    }

    [Theory]
    [InlineData("server.pem.new", "half of a cert")]
    [InlineData("server.pem", "-----BEGIN CERT")]
    [InlineData("server.pem", "")]
    public void What_a_kill_in_the_middle_or_a_full_disk_left_does_not_matter(string file, string left)
    {
        using var pem = X509Certificate2.CreateFromPemFile(ServerCertificate.FileOf(_state), ServerCertificate.FileOf(_state));
        File.WriteAllText(Path.Combine(_state, "server.crt"), pem.ExportCertificatePem());
        File.WriteAllText(Path.Combine(_state, file), left);
        _time.SetUtcNow(s_begin.AddDays(300));
        using var own = Open();
        Renewed(own, pem.SerialNumber);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(ServerCertificate.FileOf(_state)));
    }

    [Fact]
    public void A_key_of_another_certificate_is_replaced()
    {
        using var pem = X509Certificate2.CreateFromPemFile(ServerCertificate.FileOf(_state), ServerCertificate.FileOf(_state));
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        File.WriteAllText(ServerCertificate.FileOf(_state), pem.ExportCertificatePem() + "\n" + other.ExportPkcs8PrivateKeyPem());
        using var own = Open();
        Renewed(own, pem.SerialNumber);
    }

    [Fact]
    public void A_clock_that_was_ahead_for_a_while_locks_nobody_out()
    {
        using var own = Open();
        _time.SetUtcNow(s_begin.AddDays(300));
        var ahead = own.Current.SerialNumber;
        using var back = new ServerCertificate(_state, _registry.Events, new FakeTimeProvider(s_begin.AddDays(1)));
        Assert.NotEqual(ahead, back.Current.SerialNumber);
        Assert.True(back.Current.NotBefore < s_begin.AddDays(1));
    }

    [Fact]
    public void A_CA_that_does_not_count_yet_signs_once_and_again_when_it_does()
    {
        using var back = new ServerCertificate(_state, _registry.Events, new FakeTimeProvider(s_begin.AddDays(-100)));
        var first = back.Current;
        Assert.Same(first, back.Current);
        Assert.Empty(_registry.Events.After(0, 10));
    }

    [Fact]
    public void A_CA_near_its_end_signs_no_longer_than_it_counts_and_not_again_and_again()
    {
        _time.SetUtcNow(s_begin.AddYears(10).AddDays(-100));
        using var own = Open();
        var last = own.Current;
        Assert.Equal(own.Authority.NotAfter, last.NotAfter);
        _time.SetUtcNow(s_begin.AddYears(10).AddDays(-1));
        Assert.Same(last, own.Current);
        _time.SetUtcNow(s_begin.AddYears(10).AddDays(1));
        Assert.Same(last, own.Current);
    }

    [Fact]
    public void A_renewal_that_fails_is_told_once_and_tried_again()
    {
        using var own = Open();
        var (key, aside) = (Path.Combine(_state, "ca.key"), Path.Combine(_state, "aside"));
        File.Move(key, aside);
        _time.SetUtcNow(s_begin.AddDays(300));
        var first = own.Current.SerialNumber;
        _time.Advance(TimeSpan.FromMinutes(5));
        Assert.Equal(first, own.Current.SerialNumber);
        Assert.Single(_registry.Events.After(0, 10), e => e.Kind == EventKind.CertificateFailed);
        File.Move(aside, key);
        _time.Advance(TimeSpan.FromMinutes(5));
        Renewed(own, first);
    }

    [Theory]
    [InlineData("server.pem")]
    [InlineData("ca.crt")]
    public void Without_any_certificate_the_agent_says_what_to_do(string missing)
    {
        File.Delete(Path.Combine(_state, missing));
        Assert.Equal(ErrorCode.CertificateMissing, Assert.Throws<McpException>(() => Open()).Code);
    }

    private ServerCertificate Open() => new(_state, _registry.Events, _time);

    private void Renewed(ServerCertificate own, string before)
    {
        var now = own.Current;
        Assert.NotEqual(before, now.SerialNumber);
        Assert.True(now.HasPrivateKey && now.NotBefore < _time.GetUtcNow() && now.NotAfter > _time.GetUtcNow().AddDays(360));
        Assert.Equal(s_hosts.Order(StringComparer.Ordinal), CertificateAuthority.HostsOf(now).Order(StringComparer.Ordinal));
        using var chain = new X509Chain { ChainPolicy = PeerTls.Trusting(own.Authority) };
        chain.ChainPolicy.VerificationTime = _time.GetUtcNow().DateTime;
        Assert.True(chain.Build(now));
    }
}
