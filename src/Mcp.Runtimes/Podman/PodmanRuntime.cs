using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Instances;
using Mcp.Model.Names;
using Mcp.Runtimes.Images;

namespace Mcp.Runtimes.Podman;

/// <summary>Components as podman containers, over the libpod REST API.</summary>
public sealed class PodmanRuntime : IRuntime, IDisposable
{
    private static readonly TimeSpan s_startLimit = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan s_listLimit = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_removeAgain = TimeSpan.FromMilliseconds(200);
    private const int MostRemovals = 5;
    private const string OwnedFilter = "%7B%22label%22%3A%5B%22mcp.service%22%5D%7D";
    // podman 4.3 matches no event by a label without a value, so the label is looked at here.
    private const string WatchFilter = "%7B%22type%22%3A%5B%22container%22%5D%7D";
    private const string DefaultNetwork = "podman";
    private const string HostNetwork = "host";
    private static readonly HashSet<string> s_changes = ["start", "died", "remove", "pause", "unpause", "rename"];
    private readonly PodmanOptions _options;
    private readonly PodmanSocket _socket;
    private readonly LibpodClient _client;
    private readonly ShownImage _shown;
    private readonly PodmanStore _store;
    private readonly PodmanChecks _checks;
    private readonly PodmanImages _images;
    private readonly PodmanExec _exec;
    private readonly PodmanLogs _logs;

    // Made by this process, and there: what listens on the host is not theirs, so a check need not ask each time.
    private readonly ConcurrentDictionary<InstanceName, bool> _onOwnNetwork = new();
    private bool _isSwept;

    public PodmanRuntime(PodmanOptions options)
    {
        _options = options;
        _socket = new PodmanSocket(options);
        _client = new LibpodClient(_socket);
        _shown = new ShownImage(_client);
        _store = new PodmanStore(_client);
        _checks = new PodmanChecks(_client, _store);
        _images = new PodmanImages(_client, options.PullLimit);
        _exec = new PodmanExec(_client);
        _logs = new PodmanLogs(_client, options);
        Stock = new PodmanStock(_client, _store);
        LocalImages = new LocalImages(_images.IdAsync, _images.ExportAsync, _images.LookAsync);
    }

    public string Name => "podman";

    /// <summary>Its images.</summary>
    public IImageStock Stock { get; }

    /// <summary>The same for other runtimes.</summary>
    public LocalImages LocalImages { get; }

    public async Task<RuntimeAvailability> ProbeAsync(CancellationToken ct)
    {
        try
        {
            var version = await _client.GetAsync("/version", LibpodJson.Default.LibpodVersion, s_listLimit, ct);
            return new RuntimeAvailability.Usable(version?.Version ?? "unknown");
        }
        catch (Exception e) when (e is LibpodException or McpException or JsonException or IOException
            || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            var log = _options.StartService ? "; podman's own words are in podman.log in the agent's state directory" : "";
            return new RuntimeAvailability.Unusable(e.Message, (e as McpException)?.Hint ?? $"run podman info on the node{log}");
        }
    }

    /// <summary>Sees to it that podman answers, until cancelled. Its service is replaced where the agent started it.</summary>
    /// <param name="replaced">Told why.</param>
    public async Task KeepAsync(Action<string> replaced, CancellationToken ct)
    {
        await _store.LearnAsync(ct);
        await new PodmanKeeper(_socket, _client).RunAsync(replaced, ct);
    }

    /// <summary>Sees to it that no part of a log is lost, until cancelled. podman need not answer.</summary>
    public Task KeepLogsAsync(CancellationToken ct) => _logs.KeepAsync(ct);

    public Task<string> PullAsync(ImageReference image, ImageWish wish, IProgress<string>? progress, CancellationToken ct) =>
        _images.PullAsync(image, wish, progress, ct);

    public async Task<IReadOnlyList<string>> DigestsAsync(InstanceName name, CancellationToken ct) =>
        await LookAsync(name, ct) is { Image: { Length: > 0 } id } ? await _images.DigestsAsync(id, ct) : [];

    public Task<ImageLook?> LookAsync(ImageReference image, ImageWish wish, CancellationToken ct) => _images.LookAsync(image, wish, ct);

    public async Task RunAsync(InstanceSpec spec, CancellationToken ct)
    {
        var existing = spec.IsNew ? null : await InspectAsync(spec.Name, ct);
        if (existing is { State: InstanceState.Running } && existing.SpecHash == spec.SpecHash)
            return;
        await CheckHostAsync(spec, ct);
        // Created but not started, or of another spec: a crash left it; ports and env may have changed since. So may a reboot have done,
        // and what an older version made has its only data in volumes without a name.
        var nameless = existing is null ? [] : NamelessVolumes.Of(await LookAsync(spec.Name, ct), spec);
        if (existing is not null)
            await RemoveAsync(spec.Name, keepsVolumes: true, ct);
        try
        {
            var request = CreateRequest.Of(spec, _logs.Begin(spec.Name), nameless);
            await _client.PostAsync("/containers/create", request, LibpodJson.Default.LibpodCreate, s_startLimit, ct);
            if (spec.Component.Network != HostNetwork)
                _onOwnNetwork[spec.Name] = true;
            await _client.CallAsync(HttpMethod.Post, $"/containers/{spec.Name}/start", s_startLimit, ct, HttpStatusCode.NotModified);
        }
        catch (LibpodException e)
        {
            if (await _images.GoneAsync(CreateRequest.Image(spec), e, ct) is { } gone)
                throw gone;
            throw e.Message.Contains("address already in use", StringComparison.OrdinalIgnoreCase)
                ? new McpException(
                    ErrorCode.PortInUse,
                    $"cannot start {spec.Name}: a port is in use: {e.Message}",
                    "free the port (ss -ltnp shows who has it) or choose another one",
                    e)
                : new McpException(ErrorCode.InstanceStart, $"cannot start {spec.Name}: {e.Message}", "", e);
        }
    }

    public async Task<bool> FillAsync(InstanceSpec spec, string path, string directory, CancellationToken ct)
    {
        try
        {
            return await _shown.CopyAsync(CreateRequest.Image(spec), path, directory, ct);
        }
        catch (McpException e) when (e.InnerException is LibpodException)
        {
            throw await _images.GoneAsync(CreateRequest.Image(spec), e, ct) ?? e;
        }
    }

    public Task<FormerData?> FormerAsync(InstanceName name, string path, CancellationToken ct) => PodmanFaults.ToldAsync(
        $"cannot look for instances before {name}", () => NamelessVolumes.FormerAsync(_client, name, path, ct));

    public async Task StartAsync(InstanceName name, CancellationToken ct)
    {
        try
        {
            await _logs.BeginAgainAsync(name, ct);
            await _client.CallAsync(HttpMethod.Post, $"/containers/{name}/start", s_startLimit, ct, HttpStatusCode.NotModified);
        }
        catch (LibpodException e) when (e.Status != 0)
        {
            throw new McpException(ErrorCode.InstanceStart, $"cannot start {name}: {e.Message}", "", e);
        }
        catch (LibpodException e)
        {
            throw PodmanFaults.Of($"cannot start {name}", e);
        }
    }

    public async Task StopAsync(InstanceName name, TimeSpan grace, CancellationToken ct)
    {
        var container = await LookAsync(name, ct);
        // podman would wait for who watched it.
        if (container?.State is { } state && StateOf(state) == InstanceState.Failed)
            return;
        // podman stops nothing that is paused.
        if (container?.State?.Status == "paused")
        {
            await PodmanFaults.ToldAsync(
                $"cannot resume {name}",
                () => _client.CallAsync(HttpMethod.Post, $"/containers/{name}/unpause", s_startLimit, ct, HttpStatusCode.NotFound));
        }

        await PodmanFaults.ToldAsync($"cannot stop {name}", () => _client.CallAsync(
            HttpMethod.Post,
            $"/containers/{name}/stop?timeout={(int)Math.Ceiling(grace.TotalSeconds)}",
            grace + s_startLimit,
            ct,
            HttpStatusCode.NotModified,
            HttpStatusCode.NotFound));
    }

    public Task RemoveAsync(InstanceName name, CancellationToken ct) => RemoveAsync(name, keepsVolumes: false, ct);

    private async Task RemoveAsync(InstanceName name, bool keepsVolumes, CancellationToken ct)
    {
        _onOwnNetwork.TryRemove(name, out _);
        if (await LookAsync(name, ct) is not { } container)
            return;
        var volumes = keepsVolumes || !NamelessVolumes.AreUnwanted(container) ? "false" : "true";
        await PodmanFaults.ToldAsync($"cannot remove {name}", async () =>
        {
            // podman sees only when it is asked that one whose watcher was killed has ended, and fails that once.
            var isGone = container.State is { } state && StateOf(state) == InstanceState.Failed;
            for (var tries = 1; ; tries++)
            {
                try
                {
                    return await RemoveAsync(name, volumes, ct);
                }
                catch (LibpodException e) when (isGone && e.Status != 0 && tries < MostRemovals)
                {
                    await Task.Delay(s_removeAgain, ct);
                }
            }
        });
    }

    private Task<HttpStatusCode> RemoveAsync(InstanceName name, string volumes, CancellationToken ct) => _client.CallAsync(
        HttpMethod.Delete,
        $"/containers/{name}?force=true&volumes={volumes}&timeout=0",
        s_startLimit,
        ct,
        HttpStatusCode.NotFound);

    public async Task<InstanceInfo?> InspectAsync(InstanceName name, CancellationToken ct)
    {
        if (await LookAsync(name, ct) is not { } container)
            return null;
        // It may have ended between podman's answer and the look at its processes.
        if (container.State is { } first && IsGone(first) && await LookAsync(name, ct) is { } again)
            container = again;
        var state = container.State ?? new LibpodState(null, 0, default, null);
        var parsed = StateOf(state);
        var labels = container.Config?.Labels;
        return new InstanceInfo
        {
            Name = name,
            Image = labels?.GetValueOrDefault(CreateRequest.ImageLabel) ?? container.ImageName ?? "",
            State = parsed,
            ExitCode = parsed is InstanceState.Exited or InstanceState.Failed ? state.ExitCode : null,
            SpecHash = labels?.GetValueOrDefault(CreateRequest.SpecLabel) ?? "",
            Started = state.StartedAt.Year > 1 ? state.StartedAt : null,
            Definition = labels?.GetValueOrDefault(CreateRequest.DefinitionLabel) ?? "",
            MadeOf = container.Image ?? "",
            OwnCheck = await PodmanFaults.ToldAsync($"cannot look at the image of {name}", () => _checks.OfAsync(container.Image, ct)),
        };
    }

    public async Task<IReadOnlyList<InstanceInfo>> ListAsync(CancellationToken ct)
    {
        var path = $"/containers/json?all=true&filters={OwnedFilter}";
        var told = await PodmanFaults.ToldAsync(
            "cannot list the containers",
            () => _client.GetAsync(path, LibpodJson.Default.LibpodListedArray, s_listLimit, ct));
        if (!_isSwept)
        {
            await PodmanFaults.ToldAsync("cannot remove what was left", async () =>
            {
                await _shown.SweepIdleAsync(ct);
                return _isSwept = true;
            });
        }

        var all = new List<InstanceInfo>();
        foreach (var listed in told ?? [])
        {
            if (PodmanNames.Of(listed) is { } name
                && await PodmanFaults.ToldAsync($"cannot rename {name}", () => PodmanNames.HasItsOwnAsync(_client, listed, name, ct)))
            {
                all.Add(await AsItIsAsync(Info(listed, name), listed.Pid, ct));
            }
        }

        return all;
    }

    public Task<IReadOnlyList<VolumeHolder>> HoldersAsync(CancellationToken ct) => PodmanHolders.AskAsync(_client, ct);

    public IAsyncEnumerable<LogLine> LogsAsync(InstanceName name, LogOptions options, CancellationToken ct) =>
        _logs.ReadAsync(name, options, ct);

    public IReadOnlyList<InstanceLog> Logged() => _logs.All();

    public bool MarkLog(InstanceName name, bool isGone) => _logs.MarkGone(name, isGone);

    public void ForgetLog(InstanceName name) => _logs.Forget(name);

    public async IAsyncEnumerable<RuntimeEvent> WatchAsync([EnumeratorCancellation] CancellationToken ct)
    {
        var path = $"/events?stream=true&filters={WatchFilter}";
        using var response = await PodmanFaults.ToldAsync(
            "cannot hear of the containers' changes", () => _client.StreamAsync(HttpMethod.Get, path, ct));
        await using var stream = await response.Content.ReadAsStreamAsync(ct);
        await foreach (var line in LibpodStreams.LinesAsync(stream, ct))
        {
            var happened = JsonSerializer.Deserialize(line, LibpodJson.Default.LibpodEvent);
            if (happened is { Action: { } action, Actor.Attributes: { } about }
                && s_changes.Contains(action)
                && PodmanNames.Of(about, about.GetValueOrDefault("name")) is { } name)
            {
                yield return new RuntimeEvent(name, action);
            }
        }
    }

    public Task<(int ExitCode, string Output)> ExecAsync(
        InstanceName name,
        IReadOnlyList<string> command,
        TimeSpan limit,
        CancellationToken ct) =>
        PodmanFaults.ToldAsync($"cannot run {command[0]} inside {name}", () => _exec.RunAsync(name, command, limit, ct));

    public async Task<bool?> ListensAsync(InstanceName name, int port, CancellationToken ct)
    {
        if (_onOwnNetwork.ContainsKey(name))
            return null;
        var container = await LookAsync(name, ct);
        return container is { HostConfig.NetworkMode: HostNetwork, State: { Status: "running", Pid: > 0 and var pid } }
            ? HostListeners.AreOf(pid, port)
            : null;
    }

    public void Dispose()
    {
        _shown.Dispose();
        _client.Dispose();
        _socket.Dispose();
    }

    // podman takes connections on an address of a family that the network does not have, and passes no byte.
    private async Task CheckHostAsync(InstanceSpec spec, CancellationToken ct)
    {
        var own = spec.Ports.Where(p => p.Address is not (FixedPorts.EveryAddress or FixedPorts.Loopback)).ToList();
        if (own.Count == 0 || spec.Component.Network == HostNetwork)
        {
            HostSide.Check(spec);
            return;
        }

        var network = spec.Component.Network is null or "bridge" ? DefaultNetwork : spec.Component.Network;
        var path = $"/networks/{Uri.EscapeDataString(network)}/json";
        var about = await PodmanFaults.ToldAsync(
            $"cannot look at the network {network}", () => _client.GetAsync(path, LibpodJson.Default.LibpodNetwork, ct));
        // Its bridge may come with the first container.
        HostSide.Check(spec, [.. (about?.Subnets ?? []).Select(s => s.Gateway).OfType<string>()]);
        var sixth = own.Find(p => IPAddress.Parse(p.Address).AddressFamily == AddressFamily.InterNetworkV6);
        if (sixth is null || about is { Ipv6: true })
            return;
        throw new McpException(
            ErrorCode.PortAddress,
            $"the port {FixedPorts.Format(sixth)} would lead nowhere: the network {network} has no IPv6",
            "use an IPv4 address, or a network that has it: podman network create --ipv6 NAME");
    }

    // In the list podman does not say who watches it.
    private async Task<InstanceInfo> AsItIsAsync(InstanceInfo told, int init, CancellationToken ct)
    {
        if (told.State != InstanceState.Running || !PodmanProcesses.IsGone(init))
            return told;
        return await InspectAsync(told.Name, ct) is { } now ? told with { State = now.State, ExitCode = now.ExitCode } : told;
    }

    // Where the service is another's, so may the process namespace be.
    private InstanceState StateOf(LibpodState state) => IsGone(state) ? InstanceState.Failed : PodmanStates.Of(state.Status);

    private bool IsGone(LibpodState state) => PodmanStates.Of(state.Status) == InstanceState.Running
        && _options.StartService
        && PodmanProcesses.AreGone(state.Pid, state.ConmonPid);

    private static InstanceInfo Info(LibpodListed listed, InstanceName name)
    {
        var state = PodmanStates.Of(listed.State);
        return new InstanceInfo
        {
            Name = name,
            Image = listed.Labels?.GetValueOrDefault(CreateRequest.ImageLabel) ?? listed.Image ?? "",
            State = state,
            ExitCode = state is InstanceState.Exited or InstanceState.Failed ? listed.ExitCode : null,
            SpecHash = listed.Labels?.GetValueOrDefault(CreateRequest.SpecLabel) ?? "",
            Started = listed.StartedAt > 0 ? DateTimeOffset.FromUnixTimeSeconds(listed.StartedAt) : null,
            Definition = listed.Labels?.GetValueOrDefault(CreateRequest.DefinitionLabel) ?? "",
            Ports = [.. (listed.Ports ?? []).Select(Port)],
        };

        static FixedPort Port(LibpodPort port)
        {
            var address = string.IsNullOrEmpty(port.HostIp) ? FixedPorts.EveryAddress : port.HostIp;
            return new FixedPort(address, port.HostPort, port.ContainerPort);
        }
    }

    private Task<LibpodContainer?> LookAsync(InstanceName name, CancellationToken ct) => PodmanFaults.ToldAsync(
        $"cannot look at {name}", () => _client.GetAsync($"/containers/{name}/json", LibpodJson.Default.LibpodContainer, ct));
}
