using System.Net;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Grpc.Core;
using Grpc.Net.Client;
using Mcp.Daemon.Identity;
using Mcp.Machine;
using Mcp.Model.Errors;
using Mcp.Protocol.Errors;
using Mcp.Protocol.V1;

namespace Mcp.Agent.Membership;

/// <summary>`mcp-agent join`: shows the token to the master whose CA it names, and to nobody else; gets a certificate. May be repeated with
/// the same token when it was interrupted.</summary>
internal static class Joining
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(15);

    /// <exception cref="McpException">join.*</exception>
    public static async Task RunAsync(string state, string master, string tokenText, string name, string address, CancellationToken ct)
    {
        if (!JoinToken.TryParse(tokenText, out var token))
            throw new McpException(ErrorCode.JoinToken, "this is not a join token", "make one: mcp node join-token");
        if (!IPEndPoint.TryParse(master, out _))
        {
            throw new McpException(
                ErrorCode.JoinMaster,
                $"'{Model.Names.Label.Clip(master)}' is not an address with port",
                "such as 100.64.0.1:7443");
        }

        if (Directory.Exists(Member.DirectoryOf(state)))
        {
            throw new McpException(
                ErrorCode.JoinMember,
                "this node has joined a fleet already",
                $"to have it join another one, remove {Member.DirectoryOf(state)} first");
        }

        try
        {
            using var authority = await AuthorityAsync(master, token, ct);
            using var key = KeptKey(Member.DirectoryOf(state) + WholeFile.Half);
            using var channel = PeerTls.Channel(master, PeerName.MasterTlsName, authority, null);
            var request = new JoinRequest { Secret = token.Secret, Name = name, Address = address, CertificateRequest = Request(key) };
            var given = await new Master.MasterClient(channel).JoinAsync(request, deadline: Deadline(), cancellationToken: ct);
            Member.Write(state, master, given, key);
        }
        catch (RpcException e)
        {
            var what = e.StatusCode == StatusCode.Unavailable
                ? $"the master at {master} cannot be reached: {e.Status.Detail}"
                : e.Status.Detail;
            throw new McpException(ErrorCode.JoinRefused, what, ErrorTrailers.HintOf(e), e);
        }
    }

    /// <summary>A PKCS #10 request in PEM. The subject does not count; the key does.</summary>
    public static string Request(ECDsa key) => new CertificateRequest("CN=node", key, HashAlgorithmName.SHA256).CreateSigningRequestPem();

    // Whoever answers is believed nothing but a certificate with the right fingerprint, and is told nothing.
    private static async Task<X509Certificate2> AuthorityAsync(string master, JoinToken token, CancellationToken ct)
    {
        using var handler = new SocketsHttpHandler
        {
            ConnectTimeout = s_limit,
            UseProxy = false,
#pragma warning disable CA5359 // the fingerprint below is the check
            SslOptions = new SslClientAuthenticationOptions
            {
                EnabledSslProtocols = SslProtocols.Tls13,
                RemoteCertificateValidationCallback = (_, _, _, _) => true,
            },
#pragma warning restore CA5359
        };
        using var channel = GrpcChannel.ForAddress($"https://{master}", new GrpcChannelOptions { HttpHandler = handler });
        var reply = await new Master.MasterClient(channel).AuthorityAsync(
            new AuthorityRequest(), deadline: Deadline(), cancellationToken: ct);
        try
        {
            var authority = X509Certificate2.CreateFromPem(reply.Ca);
            if (JoinToken.Fingerprint(authority) == token.Authority)
                return authority;
            authority.Dispose();
        }
        catch (CryptographicException)
        {
            // As wrong as another certificate.
        }

        throw new McpException(
            ErrorCode.JoinAuthority,
            $"the master at {master} did not make this token, so the token was not sent",
            "is the address right? make a new token: mcp node join-token");
    }

    // The same key when it is tried again: the master knows by it that this is the node that the token was used for.
    private static ECDsa KeptKey(string directory)
    {
        Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var file = Path.Combine(directory, "node.key");
        var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        if (File.Exists(file) && File.ReadAllText(file) is { Length: > 0 } pem)
        {
            key.ImportFromPem(pem);
            return key;
        }

        WholeFile.Replace(file, key.ExportPkcs8PrivateKeyPem());
        return key;
    }

    private static DateTime Deadline() => TimeProvider.System.GetUtcNow().UtcDateTime + s_limit;
}
