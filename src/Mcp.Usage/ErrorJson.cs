using System.Text.Json.Nodes;

namespace Mcp.Usage;

/// <summary>An error for programs: what goes to standard error with -o json.</summary>
public static class ErrorJson
{
    public static string Of(string code, string message, string hint, int exitCode) => new JsonObject
    {
        ["error"] = new JsonObject
        {
            ["code"] = code,
            ["message"] = message,
            ["hint"] = hint,
            ["exit_code"] = exitCode,
        },
    }.ToJsonString();
}
