using System.Security.Authentication;
using Mcp.Machine;

namespace Mcp.Agent.ProxyProcess;

/// <summary>What TLS the proxy speaks with the public: 1.3, or 1.2 with forward secrecy and authenticated encryption.</summary>
internal static class TlsPolicy
{
    public const SslProtocols Versions = SslProtocols.Tls12 | SslProtocols.Tls13;

    // As OpenSSL reads it, from the file that OPENSSL_CONF names.
    private const string OpenSsl = """
        openssl_conf = defaults
        [defaults]
        ssl_conf = ssl
        [ssl]
        system_default = policy
        [policy]
        MinProtocol = TLSv1.2
        CipherString = ECDHE+AESGCM:ECDHE+CHACHA20
        Ciphersuites = TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256

        """;

    /// <summary>For all TLS of this process; before its first. With a list of suites for each connection the runtime would make a new
    /// context each time and resume no session.</summary>
    public static void Apply(string state)
    {
        var file = Path.Combine(state, "openssl.cnf");
        // A full disk is no reason not to start.
        if (!File.Exists(file) || File.ReadAllText(file) != OpenSsl)
            File.WriteAllText(file, OpenSsl);
        Posix.SetVariable("OPENSSL_CONF", file);
    }
}
