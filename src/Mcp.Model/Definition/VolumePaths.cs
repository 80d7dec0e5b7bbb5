using System.Diagnostics.CodeAnalysis;
using System.Text.RegularExpressions;

namespace Mcp.Model.Definition;

/// <summary>Which host paths are one: a directory holds everything below it.</summary>
public static partial class VolumePaths
{
    internal const string Allowed = "/host/path:/path/inside[:ro|:rw|:shared], name:/path/inside[:ro|:rw|:shared] of a named volume, "
        + "or none:/path/inside where a VOLUME of the image is not to be kept";

    /// <summary>A mount as it is written in a file or stored.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out VolumeMount? mount)
    {
        var parts = text.Split(':');
        mount = parts.Length is 2 or 3 && ShortTexts.IsPath(parts[1])
            ? (parts[0], parts.ElementAtOrDefault(2)) switch
            {
                (VolumeMount.Nothing, null) => new VolumeMount(VolumeMount.Nothing, parts[1], true),
                (VolumeMount.Nothing, _) => null,
                (var source, _) when !ShortTexts.IsPath(source) && !IsName(source) => null,
                (var source, null or "rw") => new VolumeMount(source, parts[1], false),
                (var source, "ro") => new VolumeMount(source, parts[1], true),
                (var source, "shared") => new VolumeMount(source, parts[1], false, Shared: true),
                (var source, "image") when IsName(source) => new VolumeMount(source, parts[1], false, FromImage: true),
                _ => null,
            }
            : null;
        return mount is not null;
    }

    /// <summary>Of a volume of the service's own. It is a directory's name, too. No volume is called "none".</summary>
    public static bool IsName(string text) => text != VolumeMount.Nothing && Name().IsMatch(text);

    /// <summary>Without doubled and trailing slashes and without '.'; links are not resolved here.</summary>
    public static string Normal(string path) =>
        "/" + string.Join('/', path.Split('/', StringSplitOptions.RemoveEmptyEntries).Where(part => part != "."));

    /// <summary>One is the other, or lies below it; names are of one service.</summary>
    public static bool Overlap(string one, string other)
    {
        if (IsName(one) || IsName(other))
            return one == other;
        var (a, b) = (Below(one), Below(other));
        return a.StartsWith(b, StringComparison.Ordinal) || b.StartsWith(a, StringComparison.Ordinal);
    }

    private static string Below(string path) => Normal(path) is var normal && normal == "/" ? normal : normal + "/";

    [GeneratedRegex(@"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}\z")]
    private static partial Regex Name();
}
