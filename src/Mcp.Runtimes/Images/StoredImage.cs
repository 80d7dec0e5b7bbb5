namespace Mcp.Runtimes.Images;

/// <summary>An unpacked image of this machine's store.</summary>
internal sealed record StoredImage
{
    /// <summary>Hex of its manifest's SHA-256.</summary>
    public required string Digest { get; init; }

    /// <summary>Its own in the store; what is made of the image is kept there too, and goes with it.</summary>
    public required string Directory { get; init; }

    public IReadOnlyList<string> Env { get; init; } = [];

    public IReadOnlyList<string> Entrypoint { get; init; } = [];

    public IReadOnlyList<string> Cmd { get; init; } = [];

    public string WorkingDir { get; init; } = "/";

    /// <summary>As the image says it; empty: root.</summary>
    public string User { get; init; } = "";

    /// <summary>Its HEALTHCHECK; null: none, or an older version unpacked it.</summary>
    public ImageCheck? Check { get; init; }

    /// <summary>Paths of its VOLUMEs; null: not known, since an older version unpacked it.</summary>
    public IReadOnlyList<string>? Volumes { get; init; }

    /// <summary>As the image says it, a name or a number; empty: it says nothing.</summary>
    public string StopSignal { get; init; } = "";

    public string Root => Path.Combine(Directory, "rootfs");

    /// <summary>The program and its arguments, as container runtimes combine them: the component's cmd takes the place of the
    /// image's.</summary>
    public IReadOnlyList<string> Command(IReadOnlyList<string> cmd) => [.. Entrypoint, .. cmd.Count > 0 ? cmd : Cmd];

    /// <summary>The image's environment under the instance's.</summary>
    public IReadOnlyDictionary<string, string> Environment(IReadOnlyDictionary<string, string> own)
    {
        var all = new Dictionary<string, string> { ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" };
        foreach (var variable in Env)
        {
            var at = variable.IndexOf('=', StringComparison.Ordinal);
            if (at > 0)
                all[variable[..at]] = variable[(at + 1)..];
        }

        foreach (var (key, value) in own)
            all[key] = value;
        return all;
    }
}
