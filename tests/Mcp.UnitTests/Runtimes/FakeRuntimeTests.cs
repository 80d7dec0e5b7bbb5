using Mcp.Model.Names;
using Mcp.Runtimes;
using Mcp.TestKit.Contracts;
using Mcp.TestKit.Fakes;

namespace Mcp.UnitTests.Runtimes;

public sealed class FakeRuntimeTests : RuntimeContract
{
    private readonly FakeRuntime _runtime = new(TimeProvider.System) { Images = { "example.com/hello:v1" } };

    protected override IRuntime Runtime => _runtime;

    protected override ImageReference Image => ImageReference.Parse("example.com/hello:v1");

    protected override ImageReference MissingImage => ImageReference.Parse("example.com/hello:v99");

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        _runtime.Dispose();
    }
}
