using Mcp.Model.Definition;
using Mcp.Model.Names;
using Mcp.Runtimes.Images;
using Mcp.Runtimes.Qemu.Guests.Linux;

namespace Mcp.UnitTests.Runtimes;

/// <summary>What asks a microvm's program to end.</summary>
public class StopSignalTests
{
    [Theory]
    [InlineData("", null, 15)]
    [InlineData("SIGINT", null, 2)]
    [InlineData("quit", null, 3)]
    [InlineData("SIGRTMIN+3", null, 37)]
    [InlineData("28", null, 28)]
    [InlineData("65", null, 15)]
    [InlineData("-1", null, 15)]
    [InlineData("$(reboot)", null, 15)]
    [InlineData("SIGINT", StopSignal.Usr1, 10)]
    public void The_file_says_or_the_image(string image, StopSignal? file, int number)
    {
        var component = new ComponentDefinition
        {
            Name = Label.Parse("web"),
            Image = ImageReference.Parse("localhost/x:1"),
            StopSignal = file,
        };
        Assert.Equal(number, GuestScript.StopSignal(new StoredImage { Digest = "", Directory = "", StopSignal = image }, component));
    }
}
