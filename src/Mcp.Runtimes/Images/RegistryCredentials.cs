using System.Text.Json;

namespace Mcp.Runtimes.Images;

/// <summary>What `podman login` keeps: https://github.com/containers/image/blob/main/docs/containers-auth.json.5.md</summary>
/// <param name="file">Null: where podman keeps it.</param>
internal sealed class RegistryCredentials(string? file)
{
    /// <summary>The value of a Basic authorization header; null: none are kept for this registry.</summary>
    public string? For(string registry)
    {
        foreach (var path in Files().Where(File.Exists))
        {
            var auths = JsonSerializer.Deserialize(File.ReadAllText(path), OciJson.Default.AuthFile)?.Auths;
            if (auths?.GetValueOrDefault(registry)?.Auth is { Length: > 0 } basic)
                return basic;
        }

        return null;
    }

    private IEnumerable<string> Files()
    {
        if (file is not null)
            return [file];
        var home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        var run = Environment.GetEnvironmentVariable("XDG_RUNTIME_DIR") ?? "/run";
        return ((string?[])[Environment.GetEnvironmentVariable("REGISTRY_AUTH_FILE"), Path.Combine(run, "containers", "auth.json"), "/run/containers/0/auth.json", Path.Combine(home, ".config", "containers", "auth.json"), Path.Combine(home, ".docker", "config.json")]).OfType<string>();
    }
}
