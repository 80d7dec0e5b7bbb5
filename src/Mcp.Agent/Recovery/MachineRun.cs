using System.Security.Cryptography;
using System.Text;
using Mcp.Machine;

namespace Mcp.Agent.Recovery;

/// <summary>Names the run of the machine, from one boot to the next: whatever ran in another one has ended. It is the kernel's, and a file
/// in
/// <c>/run</c>, which does not outlive a boot, nor a machine that is brought back in some other way.</summary>
public static class MachineRun
{
    private const string Boot = "/proc/sys/kernel/random/boot_id";

    /// <param name="state">The agent's state directory: two agents on one machine each have a file.</param>
    /// <param name="run">A directory that is empty after each boot.</param>
    public static string Name(string state, string run = "/run/mcp-agent")
    {
        var boot = File.Exists(Boot) ? File.ReadAllText(Boot).Trim() : "";
        try
        {
            Directory.CreateDirectory(run);
            var file = Path.Combine(run, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Path.GetFullPath(state))))[..16]);
            if (!File.Exists(file))
                WholeFile.Replace(file, RandomNumberGenerator.GetHexString(16, lowercase: true));
            return $"{boot} {File.ReadAllText(file)}";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Not root, or a full /run: the kernel knows it by itself.
            return boot;
        }
    }
}
