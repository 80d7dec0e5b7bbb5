using Mcp.Model.Definition;
using Mcp.Model.Instances;
using Mcp.Model.Revisions;

namespace Mcp.Runtimes.Podman;

/// <summary>Instance spec to podman's create request. Pure.</summary>
internal static class CreateRequest
{
    public const string ServiceLabel = "mcp.service";
    public const string ComponentLabel = "mcp.component";
    public const string GenerationLabel = "mcp.generation";
    public const string SpecLabel = "mcp.spec";
    public const string DefinitionLabel = "mcp.definition";
    public const string ImageLabel = "mcp.image";
    private const long CpuPeriod = 100_000;

    /// <param name="nameless">Volumes without a name that the same instance had before it is made anew.</param>
    public static LibpodCreate Of(InstanceSpec spec, LibpodLog log, IReadOnlyList<LibpodVolume>? nameless = null)
    {
        var component = spec.Component;
        var host = component.Network == "host";
        return new LibpodCreate
        {
            Name = spec.Name.ToString(),
            Image = Image(spec),
            Command = component.Cmd.Count > 0 ? component.Cmd : null,
            Env = spec.Env,
            Labels = new Dictionary<string, string>
            {
                [ServiceLabel] = spec.Name.Service.Text,
                [ComponentLabel] = spec.Name.Component.Text,
                [GenerationLabel] = spec.Name.Generation.ToString(System.Globalization.CultureInfo.InvariantCulture),
                [SpecLabel] = spec.SpecHash,
                [ImageLabel] = component.Image.Text,
                [DefinitionLabel] = RevisionCodec.Write(component),
            },
            Mounts = [.. spec.Mounts.Select(v => new LibpodMount(v.Target, v.Source, "bind", ["rbind", v.ReadOnly ? "ro" : "rw"]))],
            Volumes = nameless is { Count: > 0 } ? nameless : null,
            PortMappings = host ? null : [.. spec.Ports.Select(p => new LibpodMapping(HostIp(p.Address), p.Host, p.Instance))],
            NetNs = new LibpodNamespace(host ? "host" : "bridge"),
            Networks = host || component.Network is null or "bridge"
                ? null
                : new Dictionary<string, Dictionary<string, string>> { [component.Network] = [] },
            User = component.User,
            StopSignal = (int?)component.StopSignal,
            Hostname = host ? null : $"{component.Name}",
            Limits = Limits(component),
            Log = log,
        };
    }

    /// <summary>As podman is to find it.</summary>
    public static string Image(InstanceSpec spec) => spec.KeptImage.Length > 0 ? spec.KeptImage : spec.Component.Image.Text;

    // netavark 1.4 takes 0.0.0.0 for the destination of a packet, which no packet has; without an address it asks for none.
    private static string HostIp(string address) => address == FixedPorts.EveryAddress ? "" : address;

    private static LibpodLimits? Limits(ComponentDefinition component) =>
        component is { MemoryMb: null, Vcpus: null } ? null : new LibpodLimits(
        component.MemoryMb is { } memory ? new LibpodMemory(memory * 1024L * 1024L) : null,
        component.Vcpus is { } vcpus ? new LibpodCpu(vcpus * CpuPeriod, CpuPeriod) : null);
}
