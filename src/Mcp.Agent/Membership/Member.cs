using Mcp.Model.Placement;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Grpc.Core;
using Mcp.Daemon.Identity;
using Mcp.Machine;
using Mcp.Protocol.V1;

namespace Mcp.Agent.Membership;

/// <summary>What joining a fleet gave this node, in STATE/member: node.pem (certificate and key, 0600), ca.crt, token.pub, master (its
/// address), roles.</summary>
internal sealed class Member : IDisposable
{
    // The master takes four calls of a node at a time: heartbeats go on while many hostnames get their certificates.
    private const int MostIssues = 2;
    private const UnixFileMode Public = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
    private static readonly TimeSpan s_turn = TimeSpan.FromMinutes(1);
    private readonly SemaphoreSlim _issuing = new(MostIssues, MostIssues);
    private readonly string _directory;
    private volatile X509Certificate2 _certificate;

    private Member(string directory)
    {
        _directory = directory;
        Authority = X509CertificateLoader.LoadCertificateFromFile(Path.Combine(directory, "ca.crt"));
        Master = File.ReadAllText(Path.Combine(directory, "master")).Trim();
        TokenKey = File.ReadAllText(Path.Combine(directory, "token.pub"));
        _certificate = Read();
    }

    public X509Certificate2 Authority { get; }

    /// <summary>Which fleet this is: the SHA-256 of its CA.</summary>
    public string Fleet => Authority.GetCertHashString(HashAlgorithmName.SHA256);

    /// <summary>address:port of the master.</summary>
    public string Master { get; }

    /// <summary>The public key of the master's tokens, in PEM.</summary>
    public string TokenKey { get; }

    public X509Certificate2 Certificate => _certificate;

    /// <summary>The node's certificate and the fleet's CA.</summary>
    public IEnumerable<Expiry> Endings =>
    [
        Expiry.Of(
            "certificate of this node",
            _certificate,
            $"the master {Master} renews it; if it does not, let the node join again: mcp node join-token"),
        Expiry.OfAuthority("CA of the fleet", Authority, "then no node is accepted: set up a new master, and let all nodes join it"),
    ];

    public static string DirectoryOf(string state) => Path.Combine(state, "member");

    /// <summary>Null: this node has joined no fleet.</summary>
    public static Member? Find(string state) => Directory.Exists(DirectoryOf(state)) ? new Member(DirectoryOf(state)) : null;

    /// <summary>address:port of the master whose fleet this node has joined; null: none.</summary>
    public static string? MasterOf(string state) => ReadIfThere(Path.Combine(DirectoryOf(state), "master"))?.Trim();

    /// <summary>The roles that the master gave when the node joined; empty where an older version joined.</summary>
    public static IReadOnlyList<NodeRole> RolesOf(string state) =>
        NodeRoles.Parse(ReadIfThere(Path.Combine(DirectoryOf(state), "roles"))?.Split('\n') ?? []);

    /// <summary>The name that the master knows this node by; null: it has joined no fleet, or its certificate cannot be read.</summary>
    public static string? NameOf(string state)
    {
        if (ReadIfThere(Path.Combine(DirectoryOf(state), "node.pem")) is not { } pem)
            return null;
        try
        {
            using var certificate = X509Certificate2.CreateFromPem(pem);
            return PeerName.Of(certificate)?.Name.Text;
        }
        catch (CryptographicException)
        {
            return null;
        }
    }

    private static string? ReadIfThere(string file) => File.Exists(file) ? File.ReadAllText(file) : null;

    /// <summary>Complete or not at all: a directory is filled beside it and renamed.</summary>
    public static void Write(string state, string master, Protocol.V1.Membership given, ECDsa key)
    {
        var fresh = DirectoryOf(state) + WholeFile.Half;
        WholeFile.Replace(Path.Combine(fresh, "node.pem"), given.Certificate + "\n" + key.ExportPkcs8PrivateKeyPem());
        WholeFile.Replace(Path.Combine(fresh, "ca.crt"), given.Ca, Public);
        WholeFile.Replace(Path.Combine(fresh, "token.pub"), given.TokenKey, Public);
        WholeFile.Replace(Path.Combine(fresh, "master"), master, Public);
        WholeFile.Replace(Path.Combine(fresh, "roles"), string.Join('\n', given.Roles), Public);
        File.Delete(Path.Combine(fresh, "node.key"));
        Directory.Move(fresh, DirectoryOf(state));
        WholeFile.Settle(DirectoryOf(state));
    }

    public void Renew(string certificatePem, ECDsa key)
    {
        WholeFile.Replace(Path.Combine(_directory, "node.pem"), certificatePem + "\n" + key.ExportPkcs8PrivateKeyPem());
        // The old one is not disposed: handshakes may be using it.
        _certificate = Read();
    }

    /// <summary>Has the master sign for a key; two at a time, the others wait their turn for a minute at most.</summary>
    /// <param name="request">Says for what; the certificate request is filled in here.</param>
    /// <param name="limit">From its turn on.</param>
    /// <returns>In PEM: the certificate, its CA's, the private key.</returns>
    /// <exception cref="RpcException">The master refuses, or is away.</exception>
    public async Task<string> IssueAsync(IssueCertificateRequest request, ECDsa key, TimeSpan limit, CancellationToken ct)
    {
        if (!await _issuing.WaitAsync(s_turn, ct))
        {
            throw new RpcException(new Status(
                StatusCode.DeadlineExceeded,
                $"too many certificates are asked for at once; none of them came within {s_turn.TotalSeconds:0} s"));
        }

        try
        {
            return await IssueNowAsync(request, key, limit, ct);
        }
        finally
        {
            _issuing.Release();
        }
    }

    private async Task<string> IssueNowAsync(IssueCertificateRequest request, ECDsa key, TimeSpan limit, CancellationToken ct)
    {
        using var channel = PeerTls.Channel(Master, PeerName.MasterTlsName, Authority, Certificate);
        request.CertificateRequest = Joining.Request(key);
        var issued = await new Protocol.V1.Master.MasterClient(channel)
            .IssueCertificateAsync(request, deadline: TimeProvider.System.GetUtcNow().UtcDateTime + limit, cancellationToken: ct);
        return $"{issued.Certificate}\n{Authority.ExportCertificatePem()}\n{key.ExportPkcs8PrivateKeyPem()}";
    }

    public void Dispose()
    {
        Authority.Dispose();
        _certificate.Dispose();
        _issuing.Dispose();
    }

    private X509Certificate2 Read()
    {
        var file = Path.Combine(_directory, "node.pem");
        using var pem = X509Certificate2.CreateFromPemFile(file, file);
        return X509CertificateLoader.LoadPkcs12(pem.Export(X509ContentType.Pkcs12), null);
    }
}
