using Mcp.IntegrationTests.Hosts;
using Mcp.Model.Names;
using Mcp.Runtimes;
using Mcp.Runtimes.Podman;
using Mcp.TestKit.Contracts;

namespace Mcp.IntegrationTests.Runtimes;

/// <summary>On the node's own podman socket, beside its agent.</summary>
[Collection("node")]
public sealed class PodmanRuntimeTests : RuntimeContract
{
    private readonly NodeFixture _node;
    private readonly PodmanRuntime _runtime;

    public PodmanRuntimeTests(NodeFixture node)
    {
        _node = node;
        _runtime = new PodmanRuntime(new PodmanOptions
        {
            Socket = Path.Combine(node.State, "podman.sock"),
            StartService = false,
            PullLimit = TimeSpan.FromSeconds(20),
            Logs = Path.Combine(node.State, "contract-logs"),
        });
    }

    protected override IRuntime Runtime => _runtime;

    protected override ImageReference Image => ImageReference.Parse(_node.Image("v1"));

    protected override ImageReference MissingImage => ImageReference.Parse(_node.Image("v99"));

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        _runtime.Dispose();
    }
}
