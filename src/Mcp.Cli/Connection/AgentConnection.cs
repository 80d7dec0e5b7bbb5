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

    // Of what waits for instances to end: each may take its stop_grace.
    private static readonly TimeSpan s_slow = TimeSpan.FromMinutes(30);

    private const int LongestFile = 1024 * 1024;
    private static readonly TimeSpan s_connect = TimeSpan.FromSeconds(5);

    // While something is asked: one that has gone without a word is noticed.
    private static readonly TimeSpan s_ping = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_pingLimit = TimeSpan.FromSeconds(5);
    private readonly GrpcChannel _channel;
    private readonly Metadata _headers;
    private CancellationTokenSource? _reading;

    public AgentConnection(Login login, string? direct)
    {
        var authority = X509Certificate2.CreateFromPem(login.Ca);
        var handler = new SocketsHttpHandler
        {
            ConnectTimeout = s_connect,
            UseProxy = false,
            KeepAlivePingDelay = s_ping,
            KeepAlivePingTimeout = s_pingLimit,
            KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
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
        Address = direct is { Length: > 0 } ? Mcp.Usage.Address.WithPort(direct) : login.Address;
        _channel = GrpcChannel.ForAddress(
            $"https://{Address}",
            new GrpcChannelOptions { HttpHandler = handler, DisposeHttpClient = true, MaxReceiveMessageSize = LongestMessage });
        Client = new Protocol.V1.Agent.AgentClient(_channel);
        Nodes = new Protocol.V1.Master.MasterClient(_channel);
        _headers = new Metadata { { "authorization", $"Bearer {login.Token}" } };
    }

    /// <summary>Who is asked, address:port.</summary>
    public string Address { get; }

    public Protocol.V1.Agent.AgentClient Client { get; }

    /// <summary>Only the master answers it.</summary>
    public Protocol.V1.Master.MasterClient Nodes { get; }

    /// <summary>Something may go on there after the call has been given up.</summary>
    public bool Changes { get; private set; }

    /// <param name="limit">Null: for as long as somebody reads what it shows.</param>
    public CallOptions Call(TimeSpan? limit, CancellationToken ct) => limit is { } time
        ? new CallOptions(_headers, TimeProvider.System.GetUtcNow().UtcDateTime + time, ct)
        : new CallOptions(_headers, null, Reading(ct));

    /// <summary>Of a copy, which leaves everything there as it is.</summary>
    public CallOptions Copying(CancellationToken ct) => Call(s_slow, ct);

    /// <summary>Of what changes something there: it does not end because nobody reads of it.</summary>
    public CallOptions Changing(CancellationToken ct)
    {
        Changes = true;
        return Call(s_slow, ct);
    }

    /// <summary>As <see cref="Changing"/>, without a limit: for a stream of what is being done.</summary>
    public CallOptions Following(CancellationToken ct)
    {
        Changes = true;
        return new CallOptions(_headers, null, ct);
    }

    public void Dispose()
    {
        _channel.Dispose();
        _reading?.Dispose();
    }

    // RFC 7515: three parts in base64url.
    private static bool IsToken(string text) => text.Split('.') is { Length: 3 } parts
        && parts.All(p => p.Length > 0 && p.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_'));

    private static string Text(string file) => Directory.Exists(file)
        ? throw new IOException($"'{file}' is a directory")
        : new FileInfo(file) is { Exists: true, Length: > LongestFile }
            ? throw new IOException($"'{file}' is too large")
            : File.Exists(file)
                ? File.ReadAllText(file)
                : throw new IOException($"there is no file '{file}'");

    private CancellationToken Reading(CancellationToken ct)
    {
        _reading ??= CancellationTokenSource.CreateLinkedTokenSource(ct, Interrupt.ReaderGone);
        return _reading.Token;
    }

    public static Login Checked(string address, string caFile, string tokenFile)
    {
        try
        {
            var ca = Text(caFile);
            using var certificate = X509Certificate2.CreateFromPem(ca);
            var token = Text(tokenFile).Trim();
            return IsToken(token)
                ? new Login(address, certificate.ExportCertificatePem(), token)
                : throw new McpException(
                    ErrorCode.LoginFile,
                    $"{tokenFile} holds no token",
                    "mcp-master token and mcp-agent token print one; what mcp node join-token prints is for mcp-agent join");
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
