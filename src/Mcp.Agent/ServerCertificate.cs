using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Mcp.Daemon.Events;
using Mcp.Daemon.Identity;
using Mcp.Daemon.Lifecycle;
using Mcp.Machine;
using Mcp.Model.Errors;
using Mcp.Model.Events;

namespace Mcp.Agent;

/// <summary>What an agent in no fleet shows to those who connect, signed by its own CA: STATE/server.pem, certificate and key, 0600. It is
/// renewed for the same names and addresses when a third of its life is left, or later where the machine was off, while connections come
/// in.</summary>
public sealed class ServerCertificate : IDisposable
{
    /// <summary>Of a certificate.</summary>
    public static readonly TimeSpan Life = TimeSpan.FromDays(365);

    private static readonly TroubleKey s_own = TroubleKey.Of("of this agent");
    private static readonly TimeSpan s_look = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan s_again = TimeSpan.FromSeconds(10);
    private readonly Lock _renewing = new();
    private readonly string _state;
    private readonly EventsTable _events;
    private readonly Troubles _troubles;
    private readonly TimeProvider _time;
    private volatile X509Certificate2 _current;
    private long? _failed;

    /// <exception cref="McpException">certificate.missing</exception>
    public ServerCertificate(string state, EventsTable events, TimeProvider time)
    {
        (_state, _events, _time) = (state, events, time);
        _troubles = new Troubles(events, over: EventKind.CertificateRenewed, EventKind.CertificateFailed);
        var authority = Path.Combine(state, "ca.crt");
        Authority = File.Exists(authority) ? X509CertificateLoader.LoadCertificateFromFile(authority) : throw Missing();
        _current = Read(FileOf(state), FileOf(state)) ?? Read(Old("crt"), Old("key")) ?? Repaired();
        RenewWhenDue();
    }

    /// <summary>The CA. Those who log in keep it, so it cannot be renewed behind their backs.</summary>
    public X509Certificate2 Authority { get; }

    /// <summary>Renewed where it is due. Not to be disposed: handshakes may be using it.</summary>
    public X509Certificate2 Current
    {
        get
        {
            RenewWhenDue();
            return _current;
        }
    }

    /// <summary>Its own and its CA's.</summary>
    public IEnumerable<Expiry> Endings =>
    [
        Expiry.Of(
            "certificate of this agent",
            _current,
            "the agent renews it by itself; certificate.failed in mcp events says why it could not"),
        Expiry.OfAuthority(
            "CA of this agent",
            Authority,
            "then nobody can log in: set up a new state directory with mcp-agent init, and log in again"),
    ];

    public static string FileOf(string state) => Path.Combine(state, "server.pem");

    /// <summary>For `mcp-agent init`.</summary>
    public static void Create(string state, CertificateAuthority authority, IEnumerable<string> hosts, DateTimeOffset now) =>
        Write(state, authority.IssueServer("server", hosts, now, Life));

    /// <summary>Renews in time although nobody connects, until cancelled.</summary>
    public Task KeepAsync(CancellationToken ct) => Supervise.EachAsync(s_look, RenewWhenDue, _time, ct);

    public void Dispose()
    {
        Authority.Dispose();
        _current.Dispose();
    }

    private bool IsDue(DateTimeOffset now)
    {
        var gain = now < _current.NotBefore || _current.NotAfter < Authority.NotAfter;
        // What a CA signs before it counts itself counts no sooner either.
        return gain && now >= Authority.NotBefore && now < Authority.NotAfter && CertificateAuthority.RenewalIsDue(_current, now);
    }

    private void RenewWhenDue()
    {
        if (!IsDue(_time.GetUtcNow()))
            return;
        using var held = _renewing.EnterScope();
        var now = _time.GetUtcNow();
        if (!IsDue(now) || (_failed is { } before && _time.GetElapsedTime(before) < s_again))
            return;
        try
        {
            Renew(_current, now);
            _failed = null;
            var end = _current.NotAfter.ToUniversalTime();
            _events.Add("", "", EventKind.CertificateRenewed, $"{s_own.About}: until {end:yyyy-MM-dd HH:mm:ss}Z");
            _troubles.Forget(s_own);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException or McpException)
        {
            _failed = _time.GetTimestamp();
            _troubles.Tell(s_own, e.Message);
        }
    }

    private void Renew(X509Certificate2 old, DateTimeOffset now)
    {
        using var authority = CertificateAuthority.Load(_state);
        Write(_state, authority.IssueServer("server", CertificateAuthority.HostsOf(old), now, Life));
        _current = Read(FileOf(_state), FileOf(_state)) ?? throw new IOException($"{FileOf(_state)} cannot be read back");
    }

    // Without the key, or half written by somebody else: its names are all that is needed.
    private X509Certificate2 Repaired()
    {
        foreach (var file in (string[])[FileOf(_state), Old("crt")])
        {
            try
            {
                using var old = X509Certificate2.CreateFromPem(File.ReadAllText(file));
                Renew(old, _time.GetUtcNow());
                return _current;
            }
            catch (Exception e) when (e is IOException or CryptographicException)
            {
                // The next one.
            }
        }

        throw Missing();
    }

    private McpException Missing() => new(ErrorCode.CertificateMissing, $"there is no certificate of this agent in {_state}",
        "was a join interrupted? repeat it: mcp-agent join; for an agent in no fleet, remove agent.toml and run mcp-agent init");

    private string Old(string kind) => Path.Combine(_state, $"server.{kind}");

    // Whole or not at all: one file, so that no kill leaves a key without its certificate.
    private static void Write(string state, string pem) => WholeFile.Replace(FileOf(state), pem);

    private static X509Certificate2? Read(string certificate, string key)
    {
        try
        {
            using var pem = X509Certificate2.CreateFromPemFile(certificate, key);
            return X509CertificateLoader.LoadPkcs12(pem.Export(X509ContentType.Pkcs12), null);
        }
        catch (Exception e) when (e is IOException or CryptographicException or ArgumentException)
        {
            // Not there, not whole, or a key and a certificate that do not belong together.
            return null;
        }
    }
}
