using System.Text.Json.Nodes;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Instances;
using Mcp.Model.Names;
using Mcp.Runtimes;
using Mcp.Runtimes.Images;
using Mcp.Runtimes.Qemu.Guests.Nanos;
using Mcp.Runtimes.Qemu.Network;

namespace Mcp.UnitTests.Runtimes;

/// <summary>What ops is given of an image: a program that is not the image's, and a tree that leads nowhere else.</summary>
public sealed class UnikernelTreeTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-nanos").FullName;

    public UnikernelTreeTests() => Directory.CreateDirectory(Root);

    private string Root => Path.Combine(_directory, "rootfs");

    private string Staging => Path.Combine(_directory, "staging");

    private StoredImage Image => new()
    {
        Digest = "d",
        Directory = _directory,
        Env = ["A=b"],
        Entrypoint = ["h"],
        Cmd = ["--x", "two words"],
        WorkingDir = "/work/here",
    };

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public void The_program_that_ops_gets_is_a_static_one_of_ours_under_a_name_that_the_image_has_not()
    {
        File.WriteAllText(Path.Combine(Root, ".mcp-stub"), "the image's");
        File.CreateSymbolicLink(Path.Combine(Root, ".mcp-stub-1"), "/nowhere");
        StagingTree.Make(Staging, Image, []);
        var name = StubProgram.Write(Staging);
        Assert.Equal(".mcp-stub-2", name);
        Assert.Equal("the image's", File.ReadAllText(Path.Combine(Root, ".mcp-stub")));
        var elf = ElfFile.Read(Path.Combine(Staging, name))!;
        Assert.Null(elf.Interpreter);
        Assert.Empty(elf.Needed);
        Assert.InRange(StubProgram.Bytes.Length, 64, 512);
    }

    [Fact]
    public async Task The_stub_is_a_program_that_ends_with_0()
    {
        Directory.CreateDirectory(Staging);
        var (code, said) = await Programs.RunAsync(
            Programs.Start(Path.Combine(Staging, StubProgram.Write(Staging)), []),
            TimeSpan.FromSeconds(10),
            default);
        Assert.Equal((0, ""), (code, said));
    }

    [Fact]
    public void What_the_guest_runs_is_said_by_the_manifest_alone()
    {
        var component = ServiceFile.Parse(
            "name = \"a\"\n[[components]]\nname = \"web\"\nruntime = \"unikernel\"\nimage = \"localhost:1/a:b\"",
            "test").Components[0];
        var spec = new InstanceSpec(InstanceName.Parse("a.web.1"), component, "", new Dictionary<string, string>(), []);
        var config = JsonNode.Parse(OpsConfig
            .Of(Image, spec, GuestNetwork.User, "/usr/bin/h", new StagedTree(["f"], ["usr"], 100 * 1024 * 1024))
            .Text())!;
        Assert.Equal("[]", config["Args"]!.ToJsonString());
        Assert.Equal(
            """{"program":"/usr/bin/h","arguments":["h","--x","two words"],"cwd":"/work/here"}""",
            config["ManifestPassthrough"]!.ToJsonString());
        Assert.Equal("221m", (string)config["BaseVolumeSz"]!);
        Assert.Null(config["TargetRoot"]);
    }

    [Theory]
    [InlineData("usr/lib/l", "/etc/passwd", "../../etc/passwd")]
    [InlineData("usr/lib/l", "../../../../../../etc/shadow", "../../etc/shadow")]
    [InlineData("l", "/etc", "etc")]
    [InlineData("l", "../../etc/passwd", "etc/passwd")]
    [InlineData("usr/lib/l", "../bin/x", "../bin/x")]
    [InlineData("usr/lib/l", "near", "near")]
    [InlineData("usr/lib/l", "out/../../x", "../../x")]
    public void A_link_leads_to_where_it_does_in_the_guest(string link, string to, string staged)
    {
        Directory.CreateDirectory(Path.Combine(Root, "usr", "lib"));
        File.CreateSymbolicLink(Path.Combine(Root, "usr/lib/out"), "/");
        File.CreateSymbolicLink(Path.Combine(Root, link), to);
        var tree = StagingTree.Make(Staging, Image, []);
        Assert.Equal(staged, new FileInfo(Path.Combine(Staging, link)).LinkTarget);
        Assert.DoesNotContain("l", tree.Files);
    }

    [Fact]
    public void Links_in_circles_do_no_harm_and_the_working_directory_is_made()
    {
        File.CreateSymbolicLink(Path.Combine(Root, "a"), "/b");
        File.CreateSymbolicLink(Path.Combine(Root, "b"), "/a");
        File.CreateSymbolicLink(Path.Combine(Root, "c"), "/a/b/c");
        StagingTree.Make(Staging, Image, []);
        Assert.True(Directory.Exists(Path.Combine(Staging, "work/here")));
        Assert.False(Path.Exists(Path.Combine(Staging, "c")));
    }

    [Fact]
    public void A_dynamic_programs_loader_and_libraries_must_be_in_the_image()
    {
        // A real one: this machine's.
        const string program = "/bin/ls";
        var elf = ElfFile.Read(program)!;
        Copy(program);
        Assert.Contains(
            $"/bin/ls needs the loader '{elf.Interpreter}'",
            Assert.Throws<McpException>(() => ElfNeeds.Check(Root, program)).Message,
            StringComparison.Ordinal);
        Copy(elf.Interpreter!);
        Assert.Contains(
            "needs the library '",
            Assert.Throws<McpException>(() => ElfNeeds.Check(Root, program)).Message,
            StringComparison.Ordinal);
        // Each of them, and those that they need: the loader itself is one.
        foreach (var library in Directory.EnumerateFiles("/lib/x86_64-linux-gnu", "*.so*"))
        {
            File.CreateSymbolicLink(
                Path.Combine(Directory.CreateDirectory(Path.Combine(Root, "somewhere")).FullName, Path.GetFileName(library)),
                "/nowhere");
        }

        ElfNeeds.Check(Root, program);
    }

    [Fact]
    public void A_static_program_needs_nothing_and_a_damaged_one_harms_nobody()
    {
        var random = new Random(1);
        var real = File.ReadAllBytes("/bin/ls");
        Directory.CreateDirectory(Path.Combine(Root, "bin"));
        var file = Path.Combine(Root, "bin", "x");
        File.WriteAllBytes(file, StubProgram.Bytes);
        ElfNeeds.Check(Root, "/bin/x");
        for (var i = 0; i < 500; i++)
        {
            var bytes = real[..random.Next(16, 8192)];
            for (var changes = random.Next(20); changes > 0; changes--)
                bytes[random.Next(4, Math.Min(bytes.Length, 1024))] = (byte)random.Next(256);
            File.WriteAllBytes(file, bytes);
            try
            {
                ElfNeeds.Check(Root, "/bin/x");
            }
            catch (McpException e)
            {
                Assert.Equal(ErrorCode.ImageEntrypoint, e.Code);
            }
        }
    }

    private void Copy(string file)
    {
        Directory.CreateDirectory(Path.Combine(Root, Path.GetDirectoryName(file)![1..]));
        File.Copy(file, Path.Combine(Root, file[1..]), overwrite: true);
    }
}
