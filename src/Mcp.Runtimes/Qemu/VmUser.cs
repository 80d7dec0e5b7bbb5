using System.Globalization;
using Mcp.Machine;
using Mcp.Model.Errors;

namespace Mcp.Runtimes.Qemu;

/// <summary>The unprivileged user that QEMU runs as.</summary>
/// <param name="Group">The user's first group.</param>
internal sealed record VmUser(int Uid, int Gid, string Group)
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(5);

    /// <exception cref="McpException">qemu.user: there is none of this name, or this process may not act for others.</exception>
    public static async Task<VmUser> FindAsync(string name, CancellationToken ct)
    {
        if (!Posix.IsRoot)
        {
            throw new McpException(
                ErrorCode.QemuUser,
                $"QEMU cannot run as {name}, since the agent does not run as root",
                "take user out of [qemu] in agent.toml: QEMU then runs as the agent's own user");
        }

        return new VmUser(await NumberAsync("-u", name, ct), await NumberAsync("-g", name, ct), await IdAsync("-gn", name, ct));
    }

    private static async Task<int> NumberAsync(string option, string name, CancellationToken ct) =>
        int.Parse(await IdAsync(option, name, ct), CultureInfo.InvariantCulture);

    private static async Task<string> IdAsync(string option, string name, CancellationToken ct)
    {
        var (code, output) = await Programs.RunAsync(Programs.Start("id", [option, "--", name]), s_limit, ct);
        return code == 0
            ? output
            : throw new McpException(
                ErrorCode.QemuUser,
                $"there is no user {name} to run QEMU as",
                $"make it: useradd --system --groups kvm {name}; or change user in [qemu] of agent.toml");
    }
}
