using System.Text.Json;
using Mcp.Model.Errors;

namespace Mcp.Runtimes.Images;

/// <summary>What `podman login` keeps: https://github.com/containers/image/blob/main/docs/containers-auth.json.5.md</summary>
/// <param name="file">Null: where podman keeps it.</param>
internal sealed class RegistryCredentials(string? file)
{
    /// <summary>The value of a Basic authorization header; null: none are kept for this registry.</summary>
    /// <exception cref="McpException">image.login: a file of logins cannot be read.</exception>
    public string? For(string registry)
    {
        foreach (var path in Files().Where(File.Exists))
        {
            if (Read(path)?.Auths?.GetValueOrDefault(registry)?.Auth is not { Length: > 0 } basic)
                continue;
            var encoded = basic.All(c => char.IsAsciiLetterOrDigit(c) || c is '+' or '/' or '=' or '-' or '_');
            return encoded ? basic : throw Unreadable(path, $"the login for {registry} is not base64", null);
        }

        return null;
    }

    private static AuthFile? Read(string path)
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllText(path), OciJson.Default.AuthFile);
        }
        catch (JsonException e)
        {
            throw Unreadable(path, "it is not the JSON that podman writes", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Unreadable(path, e.Message, e);
        }
    }

    private IEnumerable<string> Files()
    {
        if (file is not null)
            return [file];
        var home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        var run = Environment.GetEnvironmentVariable("XDG_RUNTIME_DIR") ?? "/run";
        return ((string?[])
        [
            Environment.GetEnvironmentVariable("REGISTRY_AUTH_FILE"),
            Path.Combine(run, "containers", "auth.json"),
            "/run/containers/0/auth.json",
            Path.Combine(home, ".config", "containers", "auth.json"), Path.Combine(home, ".docker", "config.json"),
        ]).OfType<string>();
    }

    private static McpException Unreadable(string path, string why, Exception? cause) =>
        new(ErrorCode.ImageLogin, $"the logins in {path} cannot be read: {why}", "podman login writes that file", cause);
}
