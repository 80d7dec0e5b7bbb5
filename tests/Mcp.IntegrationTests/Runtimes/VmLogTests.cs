using Mcp.IntegrationTests.Hosts;
using Mcp.Runtimes;

namespace Mcp.IntegrationTests.Runtimes;

/// <summary>Consoles, in small files.</summary>
[Collection("vms")]
public abstract class VmLogContract(NodeFixture node) : LogContract(node), IClassFixture<VmHost>
{
    protected override int LongLine => 100_000;

    protected override int Lines => 12_000;
}

[Collection("vms")]
public sealed class MicrovmLogTests(NodeFixture node, VmHost host) : VmLogContract(node)
{
    protected override IRuntime Runtime => host.Microvms;
}

[Collection("vms")]
public sealed class UnikernelLogTests(NodeFixture node, VmHost host) : VmLogContract(node)
{
    protected override IRuntime Runtime => host.Unikernels;
}
