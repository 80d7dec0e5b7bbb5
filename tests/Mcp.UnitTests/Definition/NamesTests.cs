using CsCheck;
using Mcp.Model.Names;

namespace Mcp.UnitTests.Definition;

public class NamesTests
{
    private static readonly Gen<Label> s_label = Gen.Char["abcxyz019"].Array[1, 63].Select(c => Label.Parse(new string(c)));

    [Fact]
    public void An_instance_name_always_parses_back() =>
        Gen.Select(s_label, s_label, Gen.Int[1, InstanceName.MostGenerations])
            .Sample((s, c, g) => InstanceName.Parse(new InstanceName(s, c, g).ToString()) == new InstanceName(s, c, g));

    [Theory]
    [InlineData("a.b.0")]
    [InlineData("a.b.01")]
    [InlineData("a.b")]
    [InlineData("a.b.c.1")]
    [InlineData("a..1")]
    public void Other_texts_are_no_instance_names(string text) => Assert.False(InstanceName.TryParse(text, out _));

    [Theory]
    [InlineData("docker.io/library/nginx:1.27", true, false)]
    [InlineData("localhost/x", true, true)]
    [InlineData("127.0.0.1:5000/a/b:latest", true, true)]
    [InlineData("registry:5000/a/b", true, true)]
    [InlineData("nginx", false, false)]
    [InlineData("docker.io/Upper", false, false)]
    [InlineData("docker.io/a b", false, false)]
    public void Image_references_name_their_registry(string text, bool valid, bool floats)
    {
        Assert.Equal(valid, ImageReference.TryParse(text, out var image));
        Assert.Equal(floats, image?.Floats ?? false);
    }

    [Theory]
    [InlineData("blog.example.com", true)]
    [InlineData("blog.example.com.", false)]
    [InlineData("*.example.com", false)]
    [InlineData("Blog.example.com", false)]
    [InlineData("localhost", false)]
    [InlineData("10.0.0.1", false)]
    public void Hostnames_have_two_labels_and_no_tricks(string text, bool valid) => Assert.Equal(valid, Hostname.TryParse(text, out _));
}
