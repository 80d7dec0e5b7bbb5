using System.Text.Json;
using System.Text.Json.Serialization;
using Mcp.Model.Instances;
using Mcp.Runtimes.Images;
using Mcp.Runtimes.Qemu.Network;

namespace Mcp.Runtimes.Qemu.Guests.Nanos;

/// <summary>The configuration of one `ops build`. ops refuses keys that it does not know. https://docs.ops.city/ops/configuration
/// No TargetRoot: ops would take its own kernel from the image, if that has a file of this path.</summary>
/// <param name="Args">Empty: they would be the stub's, and ops copies a file of this machine that an argument names.</param>
/// <param name="BaseVolumeSz">Of the disk in all; a disk just large enough could not be written to.</param>
/// <param name="Debugflags">debug_exit: the program's exit code leaves through isa-debug-exit.</param>
/// <param name="ManifestPassthrough">What ops puts into its manifest last: what the guest runs.</param>
internal sealed record OpsConfig(
    IReadOnlyList<string> Args,
    IReadOnlyDictionary<string, string> Env,
    IReadOnlyList<string> Files,
    IReadOnlyList<string> Dirs,
    IReadOnlyList<string> NameServers,
    string BaseVolumeSz,
    IReadOnlyList<string> Debugflags,
    OpsRunConfig RunConfig,
    OpsManifest ManifestPassthrough)
{
    // Known only once an instance has its host ports: baked into the image they would make each instance a build of its own.
    private const string PerInstance = "HOST_PORT";
    private const long MiB = 1024 * 1024;
    // For the kernel's part of the disk, and for what the guest writes.
    private const long RoomMb = 96;

    /// <param name="program">Inside the image.</param>
    /// <param name="tree">What is baked in; empty: not known yet.</param>
    public static OpsConfig Of(StoredImage image, InstanceSpec spec, GuestNetwork network, string program, StagedTree tree) => new(
        [],
        image.Environment(spec.Env.Where(v => !v.Key.StartsWith(PerInstance, StringComparison.Ordinal)).ToDictionary())
            .OrderBy(v => v.Key, StringComparer.Ordinal)
            .ToDictionary(),
        tree.Files, tree.Directories, network.NameServer is { } server ? [server.ToString()] : [],
        $"{(tree.Bytes * 5 / 4 / MiB) + RoomMb}m",
        ["debug_exit"],
        new OpsRunConfig(
            $"{Vm.MemoryMb(spec)}M",
            Vm.Cpus(spec),
            network.Address.ToString(),
            network.Gateway?.ToString() ?? network.Address.ToString(),
            network.Mask),
        new OpsManifest(program, image.Command(spec.Component.Cmd), image.WorkingDir));

    public string Text() => JsonSerializer.Serialize(this, OpsJson.Default.OpsConfig);
}

internal sealed record OpsRunConfig(
    string Memory,
    [property: JsonPropertyName("CPUs")] int Cpus,
    [property: JsonPropertyName("IPAddress")] string IpAddress,
    string Gateway,
    string NetMask);

/// <param name="Program">Path in the guest.</param>
/// <param name="Arguments">As the program sees them, its own name first.</param>
/// <param name="Cwd">Where it starts.</param>
internal sealed record OpsManifest(
    [property: JsonPropertyName("program")] string Program,
    [property: JsonPropertyName("arguments")] IReadOnlyList<string> Arguments,
    [property: JsonPropertyName("cwd")] string Cwd);

[JsonSourceGenerationOptions(WriteIndented = true)]
[JsonSerializable(typeof(OpsConfig))]
internal sealed partial class OpsJson : JsonSerializerContext;
