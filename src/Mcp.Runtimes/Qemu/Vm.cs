using Mcp.Model.Instances;

namespace Mcp.Runtimes.Qemu;

/// <summary>What a VM has where its component does not say.</summary>
internal static class Vm
{
    public static int MemoryMb(InstanceSpec spec) => spec.Component.MemoryMb ?? 256;

    public static int Cpus(InstanceSpec spec) => spec.Component.Vcpus ?? 1;
}
