using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Grpc.Core;
using Grpc.Net.Client;
using Mcp.Model.Errors;

namespace Mcp.Cli.Connection;

/// <summary>A channel to the master, or to one agent: TLS 1.3, its CA pinned, the token on every call.</summary>
internal sealed class AgentConnection : IDisposable
{
    /// <summary>Of an answer: the status of some hundred thousand components.</summary>
    private const int LongestMessage = 64 * 1024 * 1024;

    private static readonly TimeSpan s_connect = TimeSpan.FromSeconds(5);
    private readonly GrpcChannel _channel;
    private readonly Metadata _headers;

    public AgentConnection(Login login, string? direct)
    {
        var authority = X509Certificate2.CreateFromPem(login.Ca);
        var handler = new SocketsHttpHandler
        {
            ConnectTimeout = s_connect,
            UseProxy = false,
            SslOptions = new SslClientAuthenticationOptions
            {
                EnabledSslProtocols = SslProtocols.Tls13,
                CertificateChainPolicy = new X509ChainPolicy
                {
                    TrustMode = X509ChainTrustMode.CustomRootTrust,
                    CustomTrustStore = { authority },
                    RevocationMode = X509RevocationMode.NoCheck,
                    DisableCertificateDownloads = true,
                },
            },
        };
        _channel = GrpcChannel.ForAddress(
            $"https://{direct ?? login.Address}",
            new GrpcChannelOptions { HttpHandler = handler, DisposeHttpClient = true, MaxReceiveMessageSize = LongestMessage });
        Client = new Protocol.V1.Agent.AgentClient(_channel);
        Nodes = new Protocol.V1.Master.MasterClient(_channel);
        _headers = new Metadata { { "authorization", $"Bearer {login.Token}" } };
    }

    public Protocol.V1.Agent.AgentClient Client { get; }

    /// <summary>Only the master answers it.</summary>
    public Protocol.V1.Master.MasterClient Nodes { get; }

    /// <param name="limit">Null: no limit but the token, for streams and deploys.</param>
    public CallOptions Call(TimeSpan? limit, CancellationToken ct) =>
        new(_headers, limit is { } time ? TimeProvider.System.GetUtcNow().UtcDateTime + time : null, ct);

    public void Dispose() => _channel.Dispose();

    public static Login Checked(string address, string caFile, string tokenFile)
    {
        try
        {
            var ca = File.ReadAllText(caFile);
            using var certificate = X509Certificate2.CreateFromPem(ca);
            return new Login(address, certificate.ExportCertificatePem(), File.ReadAllText(tokenFile).Trim());
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or System.Security.Cryptography.CryptographicException)
        {
            throw new McpException(
                ErrorCode.LoginFile,
                $"cannot read the CA or the token: {e.Message}",
                "mcp-master init and mcp-agent init print where they are",
                e);
        }
    }
}
