using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Mcp.Model.Names;

namespace Mcp.Daemon.Identity;

/// <summary>Whom a certificate of the fleet's CA names: the master, or one node.</summary>
public sealed record PeerName(Label Name, bool IsMaster)
{
    private const string CommonName = "2.5.4.3";
    private const string Unit = "2.5.4.11";
    private const string Master = "mcp master";
    private const string Node = "mcp node";

    /// <summary>The DNS name in the certificate that a client insists on: no node can pass for the master or another node, whatever its
    /// address.</summary>
    public string TlsName => IsMaster ? MasterTlsName : $"{Name}.node.mcp";

    public const string MasterTlsName = "master.mcp";

    public X500DistinguishedName Subject => new($"CN={Name}, OU={(IsMaster ? Master : Node)}");

    /// <summary>Null: a certificate of another kind. The chain is checked elsewhere.</summary>
    public static PeerName? Of(X509Certificate2 certificate)
    {
        string? name = null, unit = null;
        foreach (var part in certificate.SubjectName.EnumerateRelativeDistinguishedNames())
        {
            if (part.GetSingleElementType().Value == CommonName)
                name = part.GetSingleElementValue();
            else if (part.GetSingleElementType().Value == Unit)
                unit = part.GetSingleElementValue();
        }

        return Label.TryParse(name, out var label) && unit is Master or Node ? new PeerName(Label.Parse(name!), unit == Master) : null;
    }

    /// <summary>SHA-256 of the public key, in hexadecimal: the same as long as its owner keeps the key.</summary>
    public static string KeyOf(X509Certificate2 certificate) =>
        Convert.ToHexStringLower(SHA256.HashData(certificate.PublicKey.ExportSubjectPublicKeyInfo()));
}
