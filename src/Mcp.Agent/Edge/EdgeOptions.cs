using System.Net;
using Mcp.Model.Routes;

namespace Mcp.Agent.Edge;

public enum CertificateKind { Internal, Acme, Files }

/// <summary>[edge] of agent.toml: this node lets the public in.</summary>
public sealed record EdgeOptions
{
    /// <summary>Where plain HTTP is sent on to HTTPS, and an ACME server finds its answers.</summary>
    public IPEndPoint Http { get; init; } = IPEndPoint.Parse("0.0.0.0:80");

    public IPEndPoint Https { get; init; } = IPEndPoint.Parse("0.0.0.0:443");

    public CertificateKind Certificates { get; init; } = CertificateKind.Internal;

    /// <summary>Strict-Transport-Security: how long browsers insist on HTTPS; null: no such header.</summary>
    public TimeSpan? Hsts { get; init; }

    /// <summary>The longest body that a client may send, in bytes; gRPC streams have no end and no limit.</summary>
    public long BodyLimit { get; init; } = 100L * 1024 * 1024;

    /// <summary>Bytes a second that a client must send of a body, or take of an answer; 0: no such limit.</summary>
    public int LeastRate { get; init; } = 240;

    public bool AccessLog { get; init; } = true;

    /// <summary>Where /metrics answers, in Prometheus' format; null: nowhere.</summary>
    public IPEndPoint? Metrics { get; init; }

    public OverlayRange Overlay { get; init; } = OverlayRange.Usual;

    /// <summary>acme: the URL of the ACME directory.</summary>
    public Uri? Directory { get; init; }

    /// <summary>acme: whom the CA may write to; the account is made with it.</summary>
    public string? Email { get; init; }

    /// <summary>acme: whom to trust for the directory, a PEM file; null: the machine's trust store.</summary>
    public string? DirectoryCa { get; init; }

    /// <summary>acme: the client.</summary>
    public string Lego { get; init; } = "lego";

    /// <summary>files: HOST.pem, or HOST.crt and HOST.key; for any name below DOMAIN: _.DOMAIN.</summary>
    public string? Files { get; init; }
}
