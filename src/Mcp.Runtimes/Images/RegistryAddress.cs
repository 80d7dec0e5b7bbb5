using System.Net;
using Mcp.Model.Errors;
using Mcp.Model.Names;

namespace Mcp.Runtimes.Images;

/// <summary>Where an image's registry is, and where else it may send us. Clear text only between registries and other servers of this
/// machine.</summary>
internal static class RegistryAddress
{
    private const string DockerHub = "docker.io";
    private const int CommonLabels = 2;

    // Nobody can have a name below one of these from anybody but the owner of the network: RFC 6762 appendix G, RFC 2606, and what the root
    // never gives out.
    private static readonly string[] s_private = ["lan", "local", "internal", "intranet", "private", "corp", "home", "localdomain", "test"];

    /// <summary>Of something of the image: manifests/TAG, blobs/DIGEST.</summary>
    public static Uri Of(ImageReference image, string what)
    {
        var (registry, repository) = Split(image);
        return new Uri($"{(IsHere(registry) ? Uri.UriSchemeHttp : Uri.UriSchemeHttps)}://{registry}/v2/{repository}/{what}");
    }

    public static (string Registry, string Repository) Split(ImageReference image)
    {
        var text = image.Text;
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        var name = text[(slash + 1)..].Split('@')[0];
        var colon = name.LastIndexOf(':');
        return (text[..slash] == DockerHub ? $"registry-1.{DockerHub}" : text[..slash], colon > 0 ? name[..colon] : name);
    }

    /// <summary>Under which name logins of a registry are kept.</summary>
    public static string Login(string registry) => registry == $"registry-1.{DockerHub}" ? DockerHub : registry;

    /// <summary>The tag, or the digest where the reference has one.</summary>
    public static string Tag(ImageReference image)
    {
        var at = image.Text.IndexOf('@', StringComparison.Ordinal);
        if (at > 0)
            return image.Text[(at + 1)..];
        var colon = image.Text.LastIndexOf(':');
        return colon > image.Text.LastIndexOf('/') ? image.Text[(colon + 1)..] : "latest";
    }

    /// <summary>Where an address of a registry leads on to.</summary>
    /// <exception cref="McpException">image.pull: nowhere, or not encrypted.</exception>
    public static Uri Follow(Uri from, Uri? to, string what)
    {
        if (to is null || !Uri.TryCreate(from, to, out var next))
            throw OciReader.Wrong($"{from.Host} names {what}, but not where");
        var clear = next.Scheme == Uri.UriSchemeHttp && next.IsLoopback && from.Scheme == Uri.UriSchemeHttp && from.IsLoopback;
        return next.Scheme == Uri.UriSchemeHttps || clear
            ? next
            : throw OciReader.Wrong($"{from.Host} names {what} that is not https: {OciReader.Shown(next.GetLeftPart(UriPartial.Path))}");
    }

    /// <summary>The very same server.</summary>
    public static bool Same(Uri one, Uri other) =>
        Uri.Compare(one, other, UriComponents.SchemeAndServer, UriFormat.SafeUnescaped, StringComparison.OrdinalIgnoreCase) == 0;

    /// <summary>May a registry have its logins sent to this token server: the same host, or another one of its domain; REGISTRY.lan and its
    /// like are of the domain lan.</summary>
    public static bool Trusts(Uri registry, Uri tokens)
    {
        if (string.Equals(registry.IdnHost, tokens.IdnHost, StringComparison.OrdinalIgnoreCase))
            return true;
        if (registry.HostNameType != UriHostNameType.Dns || tokens.HostNameType != UriHostNameType.Dns)
            return false;
        var (own, other) = (registry.IdnHost.Split('.'), tokens.IdnHost.Split('.'));
        var common = own.Reverse()
            .Zip(other.Reverse())
            .TakeWhile(p => string.Equals(p.First, p.Second, StringComparison.OrdinalIgnoreCase))
            .Count();
        var isShort = own.Length == CommonLabels && s_private.Contains(own[^1], StringComparer.OrdinalIgnoreCase);
        return common >= (isShort ? 1 : CommonLabels);
    }

    private static bool IsHere(string registry) =>
        (IPEndPoint.TryParse(registry, out var ip) && IPAddress.IsLoopback(ip.Address))
            || registry.StartsWith("localhost:", StringComparison.Ordinal);
}
