using System.Security.Cryptography;
using System.Text;
using Mcp.Model.Definition;

namespace Mcp.Model.Revisions;

/// <summary>Names what was deployed: 16 hex digits, the first of the SHA-256 of its body. It is made once, by the version that stores the
/// body, and never computed anew: two are the same definition only where their bodies are compared.</summary>
public static class RevisionId
{
    public static string Of(ComponentDefinition component) => Of(RevisionCodec.Write(component));

    /// <param name="body">As <see cref="RevisionCodec"/> has written it.</param>
    public static string Of(string body) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(body)))[..16];
}
