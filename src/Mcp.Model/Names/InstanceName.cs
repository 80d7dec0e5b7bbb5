using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Mcp.Model.Errors;

namespace Mcp.Model.Names;

/// <summary>Name of one running copy of a component: service.component.generation. Labels have no dots, so it always parses back.</summary>
public sealed record InstanceName(Label Service, Label Component, int Generation)
{
    public static InstanceName Parse(string text) =>
        TryParse(text, out var name)
            ? name
            : throw new McpException(
                ErrorCode.NameInvalid,
                $"'{Label.Clip(text)}' is not an instance name",
                "allowed: service.component.generation");

    /// <summary>More are not given, and none greater is believed.</summary>
    public const int MostGenerations = 1_000_000_000;

    public static bool TryParse(string? text, [NotNullWhen(true)] out InstanceName? name)
    {
        name = null;
        var parts = text?.Split('.') ?? [];
        if (parts.Length != 3 || !Label.TryParse(parts[0], out var service) || !Label.TryParse(parts[1], out var component)
            || !int.TryParse(
                parts[2],
                NumberStyles.None,
                CultureInfo.InvariantCulture,
                out var generation) || generation is < 1 or > MostGenerations
            || parts[2][0] == '0')
        {
            return false;
        }

        name = new InstanceName(service, component, generation);
        return true;
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Service}.{Component}.{Generation}");
}
