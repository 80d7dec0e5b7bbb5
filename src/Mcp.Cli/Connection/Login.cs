using System.Text.Json;
using System.Text.Json.Serialization;
using Mcp.Machine;
using Mcp.Model.Errors;

namespace Mcp.Cli.Connection;

/// <summary>What `mcp login` keeps, 0600, in $MCP_HOME/login.json (default ~/.config/mcp).</summary>
internal sealed record Login(string Address, string Ca, string Token)
{
    public static string Home => Environment.GetEnvironmentVariable("MCP_HOME") is { Length: > 0 } home
        ? home
        : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".config", "mcp");

    private static string FilePath => Path.Combine(Home, "login.json");

    /// <exception cref="McpException">login.missing</exception>
    public static Login Read()
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllText(FilePath), LoginJson.Default.Login) ?? throw new JsonException("empty");
        }
        catch (Exception e) when (e is IOException or JsonException or UnauthorizedAccessException)
        {
            throw new McpException(
                ErrorCode.LoginMissing,
                "you are not logged in",
                "run: mcp login --master ADDRESS --ca FILE --token-file FILE (--direct for a single agent)",
                e);
        }
    }

    public void Write()
    {
        Directory.CreateDirectory(Home, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        WholeFile.Replace(FilePath, s => JsonSerializer.Serialize(s, this, LoginJson.Default.Login));
    }

    public static bool Forget()
    {
        var there = File.Exists(FilePath);
        if (there)
            File.Delete(FilePath);
        return there;
    }
}

[JsonSerializable(typeof(Login))]
internal sealed partial class LoginJson : JsonSerializerContext;
