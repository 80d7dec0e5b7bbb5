using Mcp.IntegrationTests.Hosts;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Instances;
using Mcp.Model.Revisions;
using Mcp.Runtimes;

namespace Mcp.IntegrationTests.Runtimes;

/// <summary>A dynamic program of an image: it runs in its guest, with the image's own libraries, and at no time on this machine.</summary>
[Collection("vms")]
public sealed class UnikernelProgramTests(NodeFixture node, VmHost host) : VmTest(node, host)
{
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-program").FullName;

    private string Root => Path.Combine(_directory, "root");

    // Written by whoever runs the program, if there is such a directory: here, and not in the guest.
    private string Trace => Path.Combine(_directory, "it-ran-here");

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task A_dynamic_program_runs_in_its_guest_with_its_own_libraries_and_never_on_this_machine()
    {
        await CompileAsync();
        foreach (var library in (string[])["/lib64/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/libc.so.6"])
        {
            Directory.CreateDirectory(Path.Combine(Root, Path.GetDirectoryName(library)![1..]));
            File.Copy(library, Path.Combine(Root, library[1..]));
        }

        await RunAsync("dynamic");
        await SaysAsync(Host.Unikernels, "cwd /");
        var said = await SaidAsync(Host.Unikernels);
        foreach (var line in (string[])["[/usr/bin/h]", "[--x]", "[two words]", "[from cmd]", "own library", "wrote 7 bytes"])
            Assert.Contains(line, said, StringComparison.Ordinal);
        Assert.False(File.Exists(Trace), "the program ran on this machine");
    }

    [Fact]
    public async Task A_dynamic_program_without_its_libraries_is_refused_by_name_and_never_run_on_this_machine()
    {
        await CompileAsync();
        var e = await Assert.ThrowsAsync<McpException>(() => RunAsync("lonely"));
        Assert.Equal(ErrorCode.ImageEntrypoint, e.Code);
        Assert.Contains(
            "/usr/bin/h needs the loader '/lib64/ld-linux-x86-64.so.2', which is not in the image",
            e.Message,
            StringComparison.Ordinal);
        Assert.Empty(Directory.GetDirectories(Host.Options.Images, "*.half", SearchOption.AllDirectories));
        Assert.False(File.Exists(Trace), "the program ran on this machine");
    }

    [Fact]
    public async Task The_stand_in_refuses_what_the_real_ops_would_run()
    {
        var config = Path.Combine(_directory, "config.json");
        await File.WriteAllTextAsync(config, "{}");
        var (code, said, _) = await Command.RunAsync(
            Host.Options.Ops,
            ["build", "/bin/ls", "-c", config, "-i", "x"],
            new Dictionary<string, string> { ["OPS_DIR"] = _directory });
        Assert.Equal(1, code);
        Assert.Contains("names an interpreter or libraries", said, StringComparison.Ordinal);
    }

    private async Task CompileAsync()
    {
        var (bin, lib) = (Directory.CreateDirectory(Path.Combine(Root, "usr/bin")).FullName, Directory.CreateDirectory(Path.Combine(Root, "usr/lib")).FullName);
        Directory.CreateDirectory(Path.Combine(Root, "etc"));
        await CompileAsync("own", $$"""
            #include <stdio.h>
            __attribute__((constructor)) static void ran(void) { FILE *f = fopen("{{Trace}}", "w"); if (f) fclose(f); }
            const char *own(void) { return "own library"; }
            """, ["-shared", "-fPIC", "-o", Path.Combine(lib, "libown.so")]);
        await CompileAsync("h", """
            #include <stdio.h>
            #include <unistd.h>
            const char *own(void);
            int main(int n, char **a) {
              char cwd[256];
              setvbuf(stdout, 0, _IOLBF, 0);
              for (int i = 0; i < n; i++) printf("[%s]\n", a[i]);
              FILE *f = fopen("/etc/written", "w");
              printf("%s\nwrote %d bytes\n", own(), f ? fprintf(f, "written") : 0);
              printf("cwd %s\n", getcwd(cwd, sizeof cwd));
              for (;;) pause();
            }
            """, ["-o", Path.Combine(bin, "h"), $"-L{lib}", "-lown"]);
    }

    private async Task CompileAsync(string name, string text, IReadOnlyList<string> arguments)
    {
        var source = Path.Combine(_directory, $"{name}.c");
        await File.WriteAllTextAsync(source, text);
        NodeFixture.Succeeded(await Command.RunAsync("cc", [source, .. arguments]));
    }

    private async Task RunAsync(string tag)
    {
        var image = Node.Image(tag);
        NodeFixture.Succeeded(await Command.RunAsync(Path.Combine(
            Command.Repository,
            "scripts",
            "sample-image"), [image], new Dictionary<string, string>
            {
                ["SAMPLE_ROOT"] = Root,
                ["SAMPLE_ENTRYPOINT"] = """["/usr/bin/h","--x","two words"]""",
            }));
        var component = ServiceFile.Parse($"""
            name = "{Name.Service}"
            [[components]]
            name = "web"
            runtime = "unikernel"
            image = "{image}"
            cmd = ["from cmd"]
            memory_mb = 128
            """, "program").Components[0];
        await Host.Unikernels.PullAsync(component.Image, new ImageWish(), null, default);
        await Host.Unikernels.RunAsync(
            new InstanceSpec(Name, component, RevisionId.Of(component), new Dictionary<string, string>(), []),
            default);
    }
}
