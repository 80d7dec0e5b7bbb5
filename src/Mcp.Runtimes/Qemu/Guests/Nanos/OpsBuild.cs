using Mcp.Model;

namespace Mcp.Runtimes.Qemu.Guests.Nanos;

/// <summary>Runs `ops build`, which downloads its kernel when it likes and ends with 0 on usage errors: only the image counts.</summary>
internal sealed class OpsBuild(QemuOptions options)
{
    private const string Announces = "Bootable image file:";

    /// <param name="staging">Working directory; the config's Files and Dirs are relative to it.</param>
    /// <param name="program">Relative to it too.</param>
    /// <returns>The bootable raw disk.</returns>
    /// <exception cref="McpException">unikernel.build, with what ops said.</exception>
    public async Task<string> RunAsync(string staging, string program, string config, string name, CancellationToken ct)
    {
        var ops = Programs.Find(options.Ops) ?? throw new McpException("unikernel.build", "there is no program ops", "install NanoVMs ops (https://ops.city), or name it: [qemu] ops = \"/path/ops\" in agent.toml");
        var home = Path.Combine(options.State, "ops");
        Directory.CreateDirectory(home);
        var start = Programs.Start(ops, ["build", program, "-c", config, "-i", name], staging);
        start.Environment["OPS_DIR"] = home;
        start.Environment["HOME"] = home;
        int code;
        string output;
        try
        {
            (code, output) = await Programs.RunAsync(start, options.BuildLimit, ct);
        }
        catch (McpException e) when (e.Code == "program.hangs")
        {
            throw new McpException("unikernel.build", e.Message, "ops looks up and downloads its kernel: can this node reach the internet? [qemu] build_limit gives it more time", e);
        }

        var said = output.Split('\n').FirstOrDefault(l => l.StartsWith(Announces, StringComparison.Ordinal))?[Announces.Length..].Trim();
        var image = ((string?[])[said, Path.Combine(home, "images", name)]).OfType<string>().Select(p => Path.GetFullPath(p, staging)).FirstOrDefault(File.Exists);
        return code == 0 && image is not null ? image : throw new McpException("unikernel.build", $"ops build failed (status {code}{(image is null ? ", no image" : "")}): {output}", "");
    }
}
