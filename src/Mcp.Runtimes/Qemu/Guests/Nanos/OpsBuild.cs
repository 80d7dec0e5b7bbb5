using Mcp.Model.Errors;

namespace Mcp.Runtimes.Qemu.Guests.Nanos;

/// <summary>Runs `ops build`, which downloads its kernel when it likes and ends with 0 on usage errors: only the image counts.</summary>
internal sealed class OpsBuild(QemuOptions options)
{
    private const string Announces = "Bootable image file:";

    /// <param name="staging">Working directory; the config's Files and Dirs are relative to it.</param>
    /// <param name="program">Relative to it too. ops may run it: never a file of the image.</param>
    /// <param name="temporary">For what ops and its helpers write meanwhile.</param>
    /// <returns>The bootable raw disk.</returns>
    /// <exception cref="McpException">unikernel.build, with what ops said.</exception>
    public async Task<string> RunAsync(string staging, string program, string config, string temporary, CancellationToken ct)
    {
        var ops = Programs.Find(options.Ops)
            ?? throw new McpException(
                ErrorCode.UnikernelBuild,
                $"there is no program {options.Ops}",
                "install NanoVMs ops (https://ops.city), or name it: [qemu] ops = \"/path/ops\" in agent.toml");
        var (home, name) = (options.OpsHome, Path.GetFileNameWithoutExtension(temporary));
        Directory.CreateDirectory(home);
        Directory.CreateDirectory(temporary);
        var start = Programs.Start(ops, ["build", program, "-c", config, "-i", name], staging);
        start.Environment["OPS_DIR"] = home;
        start.Environment["HOME"] = home;
        start.Environment["TMPDIR"] = temporary;
        try
        {
            var (code, output) = await Programs.RunAsync(start, options.BuildLimit, ct);
            var said = output.Split('\n')
                .FirstOrDefault(l => l.StartsWith(Announces, StringComparison.Ordinal))?[Announces.Length..]
                .Trim();
            var image = ((string?[])[said, Made(name)])
                .OfType<string>()
                .Select(p => Path.GetFullPath(p, staging))
                .FirstOrDefault(File.Exists);
            return code == 0 && image is not null
                ? image
                : throw new McpException(
                    ErrorCode.UnikernelBuild,
                    $"ops build failed (status {code}{(image is null ? ", no image" : "")}): {output}",
                    "");
        }
        catch (McpException e) when (e.Code == ErrorCode.ProgramHangs)
        {
            Forget(name);
            throw new McpException(
                ErrorCode.UnikernelBuild,
                e.Message,
                "ops looks up and downloads its kernel: can this node reach the internet? [qemu] build_limit gives it more time",
                e);
        }
        catch
        {
            Forget(name);
            throw;
        }
    }

    /// <summary>Removes what a killed process had ops build. When the program starts.</summary>
    public void Sweep()
    {
        if (Directory.Exists(Made("")))
        {
            foreach (var left in Directory.EnumerateFiles(Made("")))
                File.Delete(left);
        }
    }

    // What it had begun may be as large as a disk.
    private void Forget(string name)
    {
        if (File.Exists(Made(name)))
            File.Delete(Made(name));
    }

    private string Made(string name) => Path.Combine(options.OpsHome, "images", name);
}
