using System.Net;
using Mcp.Model.Definition;
using Mcp.Model.Definition.Toml;
using Mcp.Model.Routes;

namespace Mcp.Agent.Edge;

public enum CertificateKind { Internal, Acme, Files }

/// <summary>[edge] of agent.toml: this node lets the public in.</summary>
public sealed record EdgeOptions
{
    private const int DefaultBodyMb = 100;
    private static readonly Dictionary<string, CertificateKind> s_kinds = new()
    {
        ["internal"] = CertificateKind.Internal,
        ["acme"] = CertificateKind.Acme,
        ["files"] = CertificateKind.Files,
    };

    /// <summary>Where plain HTTP is sent on to HTTPS, and an ACME server finds its answers.</summary>
    public required IPEndPoint Http { get; init; }

    public required IPEndPoint Https { get; init; }

    public required CertificateKind Certificates { get; init; }

    /// <summary>Strict-Transport-Security: how long browsers insist on HTTPS; null: no such header.</summary>
    public TimeSpan? Hsts { get; init; }

    /// <summary>The longest body that a client may send, in bytes; gRPC streams have no end and no limit.</summary>
    public required long BodyLimit { get; init; }

    public required bool AccessLog { get; init; }

    /// <summary>Where /metrics answers, in Prometheus' format; null: nowhere.</summary>
    public IPEndPoint? Metrics { get; init; }

    public required OverlayRange Overlay { get; init; }

    /// <summary>acme: the URL of the ACME directory.</summary>
    public Uri? Directory { get; init; }

    /// <summary>acme: whom the CA may write to; the account is made with it.</summary>
    public string Email { get; init; } = "";

    /// <summary>acme: whom to trust for the directory, a PEM file; null: the machine's trust store.</summary>
    public string? DirectoryCa { get; init; }

    /// <summary>acme: the client.</summary>
    public required string Lego { get; init; }

    /// <summary>files: HOST.pem, or HOST.crt and HOST.key; for any name below DOMAIN: _.DOMAIN.</summary>
    public string? Files { get; init; }

    internal static EdgeOptions? Read(TomlFields root, List<Problem> problems)
    {
        if (root.Inner("edge") is not { } table)
            return null;
        var edge = new TomlFields(table, "[edge]", problems);
        var kind = edge.Choice("certificates", s_kinds, CertificateKind.Internal);
        var options = new EdgeOptions
        {
            Http = Endpoint(edge, "http") ?? IPEndPoint.Parse("0.0.0.0:80"),
            Https = Endpoint(edge, "https") ?? IPEndPoint.Parse("0.0.0.0:443"),
            Certificates = kind,
            Hsts = edge.Duration("hsts", TimeSpan.Zero, TimeSpan.FromDays(2 * 365)) is var hsts && hsts > TimeSpan.Zero ? hsts : null,
            BodyLimit = (edge.Integer("body_mb", 1, 1024 * 1024) ?? DefaultBodyMb) * 1024L * 1024,
            AccessLog = edge.Boolean("access_log", true),
            Metrics = Endpoint(edge, "metrics"),
            Overlay = ReadOverlay(edge),
            Directory = ReadDirectory(edge, kind == CertificateKind.Acme),
            Email = edge.Text(kind == CertificateKind.Acme ? edge.Required("acme_email") : edge.Entry("acme_email")) ?? "",
            DirectoryCa = edge.Text(edge.Entry("acme_ca")),
            Lego = edge.Text(edge.Entry("lego")) ?? "lego",
            Files = edge.Text(kind == CertificateKind.Files ? edge.Required("files") : edge.Entry("files")),
        };
        edge.RefuseUnknown();
        return options;
    }

    private static OverlayRange ReadOverlay(TomlFields edge)
    {
        var networks = new List<IPNetwork>();
        foreach (var (node, text) in edge.Texts("overlay_range"))
        {
            if (IPNetwork.TryParse(text, out var network))
                networks.Add(network);
            else
                edge.Wrong(node, "networks, such as \"100.64.0.0/10\"", "overlay_range");
        }

        return networks.Count == 0 ? OverlayRange.Usual : new OverlayRange(networks);
    }

    private static Uri? ReadDirectory(TomlFields edge, bool required)
    {
        var entry = required ? edge.Required("acme_directory") : edge.Entry("acme_directory");
        if (edge.Text(entry) is not { } text)
            return null;
        if (Uri.TryCreate(text, UriKind.Absolute, out var url) && url.Scheme == Uri.UriSchemeHttps)
            return url;
        edge.Wrong(entry!.Value, "an https URL, such as https://acme-v02.api.letsencrypt.org/directory", "acme_directory");
        return null;
    }

    private static IPEndPoint? Endpoint(TomlFields edge, string key)
    {
        if (edge.Entry(key) is not { } entry)
            return null;
        if (IPEndPoint.TryParse(edge.Text(entry) ?? "", out var endpoint) && endpoint.Port > 0)
            return endpoint;
        edge.Wrong(entry.Value, "address:port, such as 0.0.0.0:443", key);
        return null;
    }
}
