using System.Security.Cryptography;
using System.Text;
using Mcp.Model.Names;

namespace Mcp.Model.Definition;

/// <summary>An image's own VOLUMEs as volumes of the service: what a program writes where its author said that data lie outlives the
/// instance. Pure.</summary>
public static class ImageVolumes
{
    /// <summary>Of one image; fixed.</summary>
    public const int Most = 20;

    private const int LongestName = 63;
    private const int HashDigits = 8;

    /// <summary>The component with a volume of its own for each path on which it mounts nothing.</summary>
    /// <param name="paths">As the image has them. What no file could mount is left out.</param>
    public static ComponentDefinition With(ComponentDefinition component, IEnumerable<string> paths)
    {
        var asked = component.AsAsked;
        // A unikernel has no volumes that it could write to.
        if (component.Runtime == RuntimeKind.Unikernel)
            return asked;
        var names = asked.Volumes.Select(v => v.Source).ToHashSet();
        var taken = asked.Volumes.Select(v => VolumePaths.Normal(v.Target)).ToHashSet();
        var added = paths.Where(ShortTexts.IsPath)
            .Select(VolumePaths.Normal)
            .Where(p => p != "/" && taken.Add(p))
            .Order(StringComparer.Ordinal)
            .Select(p => new VolumeMount(Name(component.Name, p, names), p, false, FromImage: true))
            .ToList();
        return added.Count == 0 ? asked : asked with { Volumes = [.. asked.Volumes, .. added] };
    }

    /// <summary>The paths that were added.</summary>
    public static IReadOnlyList<string> Of(ComponentDefinition component) =>
        [.. component.Volumes.Where(v => v.FromImage).Select(v => v.Target)];

    // No component's name has a '_', so no two components and, with the hash, no two paths have one name.
    private static string Name(Label component, string path, HashSet<string> others)
    {
        var plain = $"{component}{path.Replace('/', '_')}";
        var isPlain = plain.Length <= LongestName && !path.Contains('_', StringComparison.Ordinal) && VolumePaths.IsName(plain);
        if (isPlain && !others.Contains(plain))
            return plain;
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(path)))[..HashDigits];
        var start = new string([.. plain.Select(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '.' or '-' ? c : '_')]);
        return $"{start[..Math.Min(start.Length, LongestName - HashDigits - 1)]}-{hash}";
    }
}
