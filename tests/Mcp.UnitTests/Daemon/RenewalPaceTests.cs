using System.Security.Cryptography.X509Certificates;
using Mcp.Daemon.Identity;
using Mcp.Model.Names;
using Microsoft.Extensions.Time.Testing;

namespace Mcp.UnitTests.Daemon;

/// <summary>Certificates of a signer whose clock is not ours.</summary>
public sealed class RenewalPaceTests : IDisposable
{
    private static readonly DateTimeOffset s_begin = new(2026, 11, 25, 12, 0, 0, TimeSpan.Zero);
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-pace").FullName;
    private readonly FakeTimeProvider _time = new(s_begin);
    private readonly CertificateAuthority _authority;

    public RenewalPaceTests() => _authority = CertificateAuthority.Create(_directory, "test", s_begin.AddDays(-400));

    public void Dispose()
    {
        _authority.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(-29 * 24)]
    public void A_clock_that_differs_from_the_signers_makes_one_certificate_an_hour_and_not_one_each_look(int hoursAhead)
    {
        var pace = new RenewalPace<string>(_time);
        var issued = 0;
        var current = Issue(hoursAhead, TimeSpan.FromDays(30));
        for (var look = 0; look < 3 * 60; look++)
        {
            if (pace.IsDue("blog", current))
            {
                current = Issue(hoursAhead, TimeSpan.FromDays(30));
                pace.Issued("blog");
                issued++;
            }

            _time.Advance(TimeSpan.FromMinutes(1));
        }

        Assert.InRange(issued, 1, 3);
        Assert.True(pace.IsDue("another", Issue(hoursAhead, TimeSpan.FromDays(30))));
    }

    [Fact]
    public void A_short_lived_one_is_renewed_in_each_of_its_lives()
    {
        var pace = new RenewalPace<string>(_time);
        var (current, issued) = (Issue(0, TimeSpan.FromSeconds(30)), 0);
        for (var second = 0; second < 300; second++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            Assert.True(_time.GetUtcNow() < current.NotAfter);
            if (!pace.IsDue("blog", current))
                continue;
            current = Issue(0, TimeSpan.FromSeconds(30));
            pace.Issued("blog");
            issued++;
        }

        Assert.InRange(issued, 10, 15);
    }

    private X509Certificate2 Issue(int hoursAhead, TimeSpan life) =>
        _authority.IssuePeer(new PeerName(Label.Parse("one"), false), [], _time.GetUtcNow().AddHours(hoursAhead), life);
}
