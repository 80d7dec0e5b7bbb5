using System.Diagnostics.CodeAnalysis;
using System.Text.RegularExpressions;
using Mcp.Model.Errors;

namespace Mcp.Model.Names;

/// <summary>An OCI image with its registry: registry/path[:tag][@sha256:digest]. Short names are refused, since what they mean differs from
/// machine to machine.</summary>
public sealed partial record ImageReference
{
    public const string Allowed = "registry/path[:tag][@sha256:digest], for example docker.io/library/nginx:1.27";

    private ImageReference(string text) => Text = text;

    public string Text { get; }

    /// <summary>No registry has another one of that name: it is named by its digest, or is of this machine alone.</summary>
    public bool IsFixed => Text.Contains('@', StringComparison.Ordinal) || IsLocal;

    /// <summary>Of this machine alone, where podman has it.</summary>
    public bool IsLocal => Text.StartsWith("localhost/", StringComparison.Ordinal);

    /// <summary>True when the reference may mean another image tomorrow: no digest, and no tag or the tag latest.</summary>
    public bool Floats =>
        !Text.Contains('@', StringComparison.Ordinal)
            && (Text.EndsWith(":latest", StringComparison.Ordinal) || Text.LastIndexOf(':') < Text.LastIndexOf('/'));

    public static bool TryParse(string? text, [NotNullWhen(true)] out ImageReference? image)
    {
        image = text is { Length: > 0 and <= 512 } && Shape().IsMatch(text) ? new ImageReference(text) : null;
        return image is not null;
    }

    public static ImageReference Parse(string text) =>
        TryParse(text, out var image)
            ? image
            : throw new McpException(ErrorCode.ImageInvalid, $"'{Label.Clip(text)}' is not an image reference", $"allowed: {Allowed}");

    public override string ToString() => Text;

    [GeneratedRegex(@"^(localhost|[a-zA-Z0-9][a-zA-Z0-9.-]*\.[a-zA-Z0-9.-]+|[a-zA-Z0-9][a-zA-Z0-9.-]*(?=:))(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?\z")]
    private static partial Regex Shape();
}
