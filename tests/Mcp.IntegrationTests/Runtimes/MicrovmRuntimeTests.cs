using Mcp.IntegrationTests.Hosts;
using Mcp.Model.Names;
using Mcp.Runtimes;
using Mcp.TestKit.Contracts;

namespace Mcp.IntegrationTests.Runtimes;

/// <summary>Real guests on a stock Linux kernel.</summary>
[Collection("vms")]
public sealed class MicrovmRuntimeTests(NodeFixture node, VmHost host) : RuntimeContract, IClassFixture<VmHost>
{
    protected override IRuntime Runtime => host.Microvms;

    protected override ImageReference Image => ImageReference.Parse(node.Image("v1"));

    protected override ImageReference MissingImage => ImageReference.Parse(node.Image("v99"));
}
