using System.Text.Json;
using System.Text.Json.Serialization;
using Mcp.Model.Instances;
using Mcp.Runtimes.Images;
using Mcp.Runtimes.Qemu.Network;

namespace Mcp.Runtimes.Qemu.Guests.Nanos;

/// <summary>The configuration of one `ops build`. ops refuses keys that it does not know. https://docs.ops.city/ops/configuration</summary>
/// <param name="Args">Without the program, which ops puts first.</param>
/// <param name="Debugflags">debug_exit: the program's exit code leaves through isa-debug-exit.</param>
internal sealed record OpsConfig(
    IReadOnlyList<string> Args,
    IReadOnlyDictionary<string, string> Env,
    IReadOnlyList<string> Files,
    IReadOnlyList<string> Dirs,
    IReadOnlyList<string> NameServers,
    string TargetRoot,
    IReadOnlyList<string> Debugflags,
    OpsRunConfig RunConfig)
{
    // Known only once an instance has its host ports: baked into the image they would make each instance a build of its own.
    private const string PerInstance = "HOST_PORT";

    public static OpsConfig Of(StoredImage image, InstanceSpec spec, GuestNetwork network, IReadOnlyList<string> files, IReadOnlyList<string> dirs) => new(
        [.. image.Command(spec.Component.Cmd).Skip(1)],
        image.Environment(spec.Env.Where(v => !v.Key.StartsWith(PerInstance, StringComparison.Ordinal)).ToDictionary()).OrderBy(v => v.Key, StringComparer.Ordinal).ToDictionary(),
        files, dirs, network.NameServer is { } server ? [server.ToString()] : [], image.Root, ["debug_exit"],
        new OpsRunConfig($"{Vm.MemoryMb(spec)}M", Vm.Cpus(spec), network.Address.ToString(), network.Gateway?.ToString() ?? network.Address.ToString(), network.Mask));

    public string Text() => JsonSerializer.Serialize(this, OpsJson.Default.OpsConfig);
}

internal sealed record OpsRunConfig(string Memory, [property: JsonPropertyName("CPUs")] int Cpus, [property: JsonPropertyName("IPAddress")] string IpAddress, string Gateway, string NetMask);

[JsonSourceGenerationOptions(WriteIndented = true)]
[JsonSerializable(typeof(OpsConfig))]
internal sealed partial class OpsJson : JsonSerializerContext;
