using System.Text.Json;
using System.Text.Json.Serialization;

namespace Mcp.Runtimes.Images;

// As they come, and everything may be missing: OciReader checks them.
// https://github.com/opencontainers/image-spec: manifest.md, image-index.md, config.md; and Docker's older forms of the same.
internal sealed record OciPlatform(string? Architecture, string? Os);

internal sealed record OciDescriptor(string? MediaType, string? Digest, long? Size, OciPlatform? Platform);

internal sealed record OciManifest(
    string? MediaType,
    IReadOnlyList<OciDescriptor?>? Manifests,
    OciDescriptor? Config,
    IReadOnlyList<OciDescriptor?>? Layers);

internal sealed record OciConfig(string? Architecture, string? Os, OciImageConfig? Config, OciRootfs? Rootfs);

internal sealed record OciRootfs([property: JsonPropertyName("diff_ids")] IReadOnlyList<string?>? DiffIds);

internal sealed record OciImageConfig(
    [property: JsonPropertyName("Env")] IReadOnlyList<string>? Env,
    [property: JsonPropertyName("Entrypoint")] IReadOnlyList<string>? Entrypoint,
    [property: JsonPropertyName("Cmd")] IReadOnlyList<string>? Cmd,
    [property: JsonPropertyName("WorkingDir")] string? WorkingDir,
    [property: JsonPropertyName("User")] string? User,
    [property: JsonPropertyName("Healthcheck")] JsonElement? Healthcheck = null,
    [property: JsonPropertyName("StopSignal")] JsonElement? StopSignal = null,
    [property: JsonPropertyName("Volumes")] JsonElement? Volumes = null)
{
    public static readonly OciImageConfig Empty = new(null, null, null, null, null);

    /// <summary>The paths of VOLUMEs: the names in an object. Whatever else it is, there are none.</summary>
    public static IReadOnlyList<string> Paths(JsonElement? volumes) => volumes is { ValueKind: JsonValueKind.Object } all
        ? [.. all.EnumerateObject().Select(v => v.Name)]
        : [];
}

internal sealed record TokenReply(string? Token, [property: JsonPropertyName("access_token")] string? AccessToken);

internal sealed record AuthEntry(string? Auth);

internal sealed record AuthFile(IReadOnlyDictionary<string, AuthEntry?>? Auths);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(OciManifest))]
[JsonSerializable(typeof(OciConfig))]
[JsonSerializable(typeof(ImageCheck))]
[JsonSerializable(typeof(TokenReply))]
[JsonSerializable(typeof(AuthFile))]
internal sealed partial class OciJson : JsonSerializerContext;
