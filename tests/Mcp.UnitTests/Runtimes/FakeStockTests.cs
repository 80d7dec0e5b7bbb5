using Mcp.Model.Names;
using Mcp.Runtimes.Images;
using Mcp.TestKit.Contracts;
using Mcp.TestKit.Fakes;

namespace Mcp.UnitTests.Runtimes;

public sealed class FakeStockTests : ImageStockContract
{
    private readonly FakeStock _stock = new();

    protected override IImageStock Stock => _stock;

    protected override ImageReference Reference => ImageReference.Parse("example.com/hello:v1");

    protected override Task<string> BringAsync()
    {
        _stock.Add("one", 1, Reference.Text);
        return Task.FromResult("one");
    }
}
