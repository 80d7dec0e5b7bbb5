using Mcp.IntegrationTests.Hosts;
using Mcp.Model.Names;
using Mcp.Runtimes;
using Mcp.TestKit.Contracts;

namespace Mcp.IntegrationTests.Runtimes;

/// <summary>Disks as ops builds them, booted by the machine's firmware; see tests/ops-stand-in.</summary>
[Collection("vms")]
public sealed class UnikernelRuntimeTests(NodeFixture node, VmHost host) : RuntimeContract, IClassFixture<VmHost>
{
    protected override IRuntime Runtime => host.Unikernels;

    protected override ImageReference Image => ImageReference.Parse(node.Image("v1"));

    protected override ImageReference MissingImage => ImageReference.Parse(node.Image("v99"));
}
