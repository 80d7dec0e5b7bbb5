using Mcp.Model.Definition.Toml;

namespace Mcp.Model.Definition;

/// <summary>Definition, as it was asked for, to service file text. Canonical: equal definitions give equal text, defaults are left out, env
/// is sorted; what another version stored and this one cannot read is in it as it was.</summary>
public static class ServiceFileWriter
{
    public static string Write(ServiceDefinition service) => TomlWriter.Write(ServiceKeys.Service.Write(service.AsAsked));
}
