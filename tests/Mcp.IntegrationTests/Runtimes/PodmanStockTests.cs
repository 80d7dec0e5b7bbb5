using Mcp.IntegrationTests.Hosts;
using Mcp.Model.Names;
using Mcp.Runtimes;
using Mcp.Runtimes.Images;
using Mcp.Runtimes.Podman;
using Mcp.TestKit.Contracts;

namespace Mcp.IntegrationTests.Runtimes;

/// <summary>On the node's own podman socket, beside its agent.</summary>
[Collection("node")]
public sealed class PodmanStockTests : ImageStockContract, IAsyncLifetime
{
    private readonly NodeFixture _node;
    private readonly PodmanRuntime _runtime;

    public PodmanStockTests(NodeFixture node)
    {
        _node = node;
        _runtime = new PodmanRuntime(new PodmanOptions { Socket = Path.Combine(node.State, "podman.sock"), StartService = false });
    }

    protected override IImageStock Stock => _runtime.Stock;

    protected override ImageReference Reference => ImageReference.Parse(_node.Image("stock"));

    public async ValueTask InitializeAsync() => NodeFixture.Succeeded(await Command.RunAsync(
        Path.Combine(Command.Repository, "scripts", "sample-image"), [_node.Image("stock"), "only in this test"]));

    protected override Task<string> BringAsync() => _runtime.PullAsync(Reference, new ImageWish(), null, default);

    public ValueTask DisposeAsync()
    {
        _runtime.Dispose();
        return ValueTask.CompletedTask;
    }
}
