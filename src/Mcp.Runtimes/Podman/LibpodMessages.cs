using System.Text.Json;
using System.Text.Json.Serialization;

namespace Mcp.Runtimes.Podman;

// Shapes of podman's libpod REST API 4.0, as far as we use it. https://docs.podman.io/en/latest/_static/api.html
internal sealed record LibpodError(string? Cause, string? Message, string? Error = null);

internal sealed record LibpodVersion(string? Version);

internal sealed record LibpodPull(string? Stream, string? Error, string? Id = null);

/// <summary>Of Docker's API, which tells bytes: https://docs.docker.com/reference/api/engine, POST /images/create.</summary>
internal sealed record DockerPull(string? Status, string? Id, DockerPulled? ProgressDetail, string? Error, LibpodError? ErrorDetail = null);

internal sealed record DockerPulled(long Current, long Total);

internal sealed record LibpodState(
    string? Status,
    int ExitCode,
    DateTimeOffset StartedAt,
    string? Error,
    int Pid = 0,
    DateTimeOffset FinishedAt = default,
    int ConmonPid = 0);

internal sealed record LibpodHostConfig(string? NetworkMode, LibpodLogConfig? LogConfig = null);

/// <param name="Path">Of the file that conmon writes.</param>
internal sealed record LibpodLogConfig(string? Path);

internal sealed record LibpodConfig(Dictionary<string, string>? Labels);

internal sealed record LibpodMounted(
    string? Source, string? Destination, [property: JsonPropertyName("RW")] bool Writable, string? Type = null, string? Name = null)
{
    /// <summary>podman's own, of a VOLUME of the image.</summary>
    public bool IsVolume => Type == "volume";
}

internal sealed record LibpodContainer
{
    public string? Id { get; init; }

    /// <summary>Its image's id.</summary>
    public string? Image { get; init; }

    public string? ImageName { get; init; }

    public LibpodState? State { get; init; }

    public LibpodConfig? Config { get; init; }

    public LibpodHostConfig? HostConfig { get; init; }

    public LibpodMounted[]? Mounts { get; init; }

    public string[]? ExecIDs { get; init; }
}

internal sealed record LibpodImageConfig(JsonElement? Volumes);

internal sealed record LibpodImage(
    JsonElement? HealthCheck,
    LibpodImageConfig? Config,
    string? Id,
    string? Digest,
    string[]? RepoDigests,
    Dictionary<string, string>? Labels,
    string[]? RepoTags = null,
    long Size = 0);

internal sealed record LibpodPort(
    [property: JsonPropertyName("host_ip")] string? HostIp,
    [property: JsonPropertyName("host_port")] int HostPort,
    [property: JsonPropertyName("container_port")] int ContainerPort);

internal sealed record LibpodListed(
    string? Id,
    string[]? Names,
    string? Image,
    string? State,
    int ExitCode,
    long StartedAt,
    Dictionary<string, string>? Labels,
    LibpodPort[]? Ports,
    string? ImageId = null,
    int Pid = 0);

internal sealed record LibpodStored(string? Id, string[]? RepoTags, long Size);

internal sealed record LibpodStore(string? GraphRoot, string? GraphDriverName = null);

internal sealed record LibpodInfo(LibpodStore? Store);

internal sealed record LibpodSubnet(string? Gateway);

internal sealed record LibpodNetwork([property: JsonPropertyName("ipv6_enabled")] bool Ipv6, LibpodSubnet[]? Subnets = null);

internal sealed record LibpodActor(Dictionary<string, string>? Attributes);

internal sealed record LibpodEvent(string? Action, LibpodActor? Actor);

internal sealed record LibpodExecCreated(string? Id);

/// <summary>Of a program inside a container. One that was made and has not begun neither runs nor has ended.</summary>
/// <param name="Pid">On the host, while it runs.</param>
/// <param name="CanRemove">It has ended.</param>
internal sealed record LibpodExecState(bool Running, int ExitCode, int Pid, bool CanRemove, LibpodProcess? ProcessConfig);

internal sealed record LibpodProcess(string? Entrypoint, string[]? Arguments);

internal sealed record LibpodExecCreate(
    [property: JsonPropertyName("Cmd")] IReadOnlyList<string> Cmd,
    [property: JsonPropertyName("AttachStdout")] bool Stdout,
    [property: JsonPropertyName("AttachStderr")] bool Stderr);

internal sealed record LibpodExecStart([property: JsonPropertyName("Detach")] bool Detach, [property: JsonPropertyName("Tty")] bool Tty);

/// <summary>A container that never starts: its image's files are looked at.</summary>
internal sealed record LibpodShown(
    [property: JsonPropertyName("name")] string Name,
    [property: JsonPropertyName("image")] string Image,
    [property: JsonPropertyName("labels")] IReadOnlyDictionary<string, string> Labels)
{
    // Some program has to be named.
    [JsonPropertyName("command")] public IReadOnlyList<string> Command { get; } = ["none"];

    [JsonPropertyName("image_volume_mode")] public string ImageVolumeMode { get; } = "ignore";
}

internal sealed record LibpodNamespace([property: JsonPropertyName("nsmode")] string Mode);

internal sealed record LibpodMount(
    [property: JsonPropertyName("destination")] string Destination,
    [property: JsonPropertyName("source")] string Source,
    [property: JsonPropertyName("type")] string Type,
    [property: JsonPropertyName("options")] string[] Options);

internal sealed record LibpodVolume(
    [property: JsonPropertyName("Name")] string Name,
    [property: JsonPropertyName("Dest")] string Destination);

internal sealed record LibpodMapping(
    [property: JsonPropertyName("host_ip")] string HostIp,
    [property: JsonPropertyName("host_port")] int HostPort,
    [property: JsonPropertyName("container_port")] int ContainerPort);

internal sealed record LibpodMemory([property: JsonPropertyName("limit")] long Limit);

internal sealed record LibpodCpu([property: JsonPropertyName("quota")] long Quota, [property: JsonPropertyName("period")] long Period);

internal sealed record LibpodLimits(
    [property: JsonPropertyName("memory")] LibpodMemory? Memory,
    [property: JsonPropertyName("cpu")] LibpodCpu? Cpu);

/// <param name="Path">Null: where podman keeps it.</param>
/// <param name="Size">Bytes, at which conmon begins a new file.</param>
internal sealed record LibpodLog(
    [property: JsonPropertyName("driver")] string Driver,
    [property: JsonPropertyName("path")] string? Path,
    [property: JsonPropertyName("size")] long Size);

internal sealed record LibpodCheck([property: JsonPropertyName("Test")] string[] Test);

internal sealed record LibpodCreate
{
    [JsonPropertyName("name")] public required string Name { get; init; }
    [JsonPropertyName("image")] public required string Image { get; init; }
    [JsonPropertyName("command")] public IReadOnlyList<string>? Command { get; init; }
    [JsonPropertyName("env")] public IReadOnlyDictionary<string, string>? Env { get; init; }
    [JsonPropertyName("labels")] public IReadOnlyDictionary<string, string>? Labels { get; init; }
    [JsonPropertyName("mounts")] public IReadOnlyList<LibpodMount>? Mounts { get; init; }
    [JsonPropertyName("volumes")] public IReadOnlyList<LibpodVolume>? Volumes { get; init; }
    [JsonPropertyName("portmappings")] public IReadOnlyList<LibpodMapping>? PortMappings { get; init; }
    [JsonPropertyName("netns")] public LibpodNamespace? NetNs { get; init; }
    [JsonPropertyName("Networks")] public IReadOnlyDictionary<string, Dictionary<string, string>>? Networks { get; init; }
    [JsonPropertyName("user")] public string? User { get; init; }
    [JsonPropertyName("hostname")] public string? Hostname { get; init; }
    [JsonPropertyName("resource_limits")] public LibpodLimits? Limits { get; init; }
    [JsonPropertyName("log_configuration")] public LibpodLog? Log { get; init; }
    [JsonPropertyName("stop_signal")] public int? StopSignal { get; init; }
    [JsonPropertyName("restart_policy")] public string RestartPolicy { get; init; } = "no";
    [JsonPropertyName("image_volume_mode")] public string ImageVolumeMode { get; init; } = "anonymous";
    // We ask it ourselves; podman would too, by timers of systemd.
    [JsonPropertyName("healthconfig")] public LibpodCheck Check { get; init; } = new(["NONE"]);
}

[JsonSourceGenerationOptions(PropertyNameCaseInsensitive = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(LibpodError))]
[JsonSerializable(typeof(LibpodVersion))]
[JsonSerializable(typeof(LibpodPull))]
[JsonSerializable(typeof(DockerPull))]
[JsonSerializable(typeof(LibpodContainer))]
[JsonSerializable(typeof(LibpodImage))]
[JsonSerializable(typeof(LibpodListed[]))]
[JsonSerializable(typeof(LibpodStored[]))]
[JsonSerializable(typeof(LibpodInfo))]
[JsonSerializable(typeof(LibpodNetwork))]
[JsonSerializable(typeof(LibpodEvent))]
[JsonSerializable(typeof(LibpodCreate))]
[JsonSerializable(typeof(LibpodShown))]
[JsonSerializable(typeof(LibpodExecCreate))]
[JsonSerializable(typeof(LibpodExecCreated))]
[JsonSerializable(typeof(LibpodExecStart))]
[JsonSerializable(typeof(LibpodExecState))]
internal sealed partial class LibpodJson : JsonSerializerContext;
