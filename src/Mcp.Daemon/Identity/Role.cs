using System.Diagnostics.CodeAnalysis;

namespace Mcp.Daemon.Identity;

/// <summary>What a caller may do. People are viewer, deployer or admin, each more than the one before; nodes may only speak for
/// themselves.</summary>
public enum Role { Viewer, Deployer, Admin, Node, Anyone }

/// <summary>Who calls.</summary>
/// <param name="Key">Of a node or the master: the SHA-256 of its certificate's public key; empty for people.</param>
public sealed record Caller(string Name, Role Role, DateTimeOffset Expires, string Key = "")
{
    /// <summary>Shown by its certificate, not by a token.</summary>
    public bool IsMaster => Role == Role.Admin && Key.Length > 0;
}

public static class Roles
{
    public static bool May(this Role caller, Role needed) => needed switch
    {
        Role.Anyone => true,
        Role.Node => caller == Role.Node,
        Role.Viewer or Role.Deployer or Role.Admin => caller is not (Role.Node or Role.Anyone) && caller >= needed,
    };

    /// <summary>A role that a token may carry.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out Role role) =>
        Enum.TryParse(text, ignoreCase: true, out role)
            && role is Role.Viewer or Role.Deployer or Role.Admin
            && !char.IsAsciiDigit(text![0]);
}
