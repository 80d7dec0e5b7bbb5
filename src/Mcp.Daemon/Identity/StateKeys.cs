using System.Security.Cryptography;
using Mcp.Machine;
using Mcp.Model.Errors;

namespace Mcp.Daemon.Identity;

/// <summary>The keys of a state directory: made once, and kept for as long as anything may have been signed with them.</summary>
public static class StateKeys
{
    private static readonly string[] s_files = ["ca.crt", "ca.key", "token.key", "admin.token"];
    private static readonly TimeSpan s_adminLife = TimeSpan.FromDays(365);

    /// <param name="database">Its file name: where it is, a daemon has run here.</param>
    /// <param name="name">Of the CA.</param>
    /// <exception cref="McpException">init.keys: a daemon has run here, and its keys are not all there.</exception>
    public static CertificateAuthority Make(string state, string database, string name, TimeProvider time)
    {
        var missing = s_files.Where(file => !File.Exists(Path.Combine(state, file))).ToList();
        try
        {
            if (missing.Count == 0)
                return CertificateAuthority.Load(state);
        }
        catch (CryptographicException)
        {
            missing = ["ca.crt and ca.key that can be read"];
        }

        if (File.Exists(Path.Combine(state, database)))
        {
            throw new McpException(
                ErrorCode.InitKeys,
                $"{state} is in use, and has no {string.Join(", ", missing)}",
                "put them back from a backup, take another directory, or, for a member of a fleet: mcp-agent join");
        }

        foreach (var half in s_files)
            File.Delete(Path.Combine(state, half));
        var authority = CertificateAuthority.Create(state, name, time.GetUtcNow());
        var key = TokenSigner.NewKey();
        WholeFile.Create(Path.Combine(state, "token.key"), key);
        // Last: where it is, all are.
        WholeFile.Create(Path.Combine(state, "admin.token"), new TokenSigner(key, time).Issue("admin", Role.Admin, s_adminLife));
        return authority;
    }
}
