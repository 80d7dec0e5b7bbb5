using Mcp.Model.Images;
using Mcp.Model.Names;
using Mcp.Runtimes.Images;

namespace Mcp.TestKit.Contracts;

/// <summary>What every store of images promises.</summary>
public abstract class ImageStockContract
{
    protected abstract IImageStock Stock { get; }

    /// <summary>Of no other test.</summary>
    protected abstract ImageReference Reference { get; }

    /// <summary>Makes the image present.</summary>
    /// <returns>Its id.</returns>
    protected abstract Task<string> BringAsync();

    [Fact]
    public async Task An_image_is_listed_with_its_size_and_meant_by_its_reference_until_it_is_removed()
    {
        var id = await BringAsync();
        Assert.Equal(id, await Stock.MeaningAsync(Reference, default));
        var image = await FindAsync(id);
        Assert.Equal((Stock.Kind, true, 0), (image!.Kind, image.Bytes > 0, image.Users.Count));
        Assert.True(await Stock.RemoveAsync(image, [Reference.Text], default));
        Assert.Null(await FindAsync(id));
        Assert.Equal("", await Stock.MeaningAsync(Reference, default));
        // Safe to repeat, and it can be brought again.
        Assert.True(await Stock.RemoveAsync(image, [Reference.Text], default));
        var again = await BringAsync();
        Assert.True(await Stock.RemoveAsync((await FindAsync(again))!, [Reference.Text], default));
    }

    [Fact]
    public async Task Names_of_mcps_come_and_go_without_the_image_and_it_goes_with_them()
    {
        var id = await BringAsync();
        await Stock.NameAsync(new HeldImage(Stock.Kind, id), ["blog/web:1"], default);
        await Stock.NameAsync((await FindAsync(id))!, ["blog/web:1", "blog--a/web:2"], default);
        await Stock.NameAsync((await FindAsync(id))!, ["blog--a/web:2"], default);
        var image = (await FindAsync(id))!;
        // Where the store knows names at all.
        Assert.True(image.InOwnStore || image.OwnNames.SequenceEqual(["blog--a/web:2"]));
        Assert.DoesNotContain("blog--a/web:2", image.Names);
        Assert.Equal(id, await Stock.MeaningAsync(Reference, default));
        await Stock.NameAsync(image with { Id = new string('0', 64) }, ["blog/web:9"], default);
        Assert.True(await Stock.RemoveAsync(image, [Reference.Text], default));
        Assert.Null(await FindAsync(id));
    }

    protected async Task<HeldImage?> FindAsync(string id) => (await Stock.ListAsync(default)).FirstOrDefault(i => i.Id == id);
}
