using System.Security.Cryptography;
using System.Text;
using Mcp.Model.Definition;

namespace Mcp.Model.Instances;

/// <summary>First 16 hex digits of the SHA-256 of a component's canonical definition.</summary>
public static class SpecHash
{
    public static string Of(ComponentDefinition component) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(ServiceFileWriter.Write(component))))[..16];
}
