using System.Diagnostics;
using System.Runtime.CompilerServices;
using Mcp.Machine;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Instances;
using Mcp.Model.Names;
using Mcp.Model.Revisions;
using Mcp.Runtimes.Images;
using Mcp.Runtimes.Logs;
using Mcp.Runtimes.Qemu.Accel;
using Mcp.Runtimes.Qemu.Control;
using Mcp.Runtimes.Qemu.Guests;
using Mcp.Runtimes.Qemu.Guests.Linux;
using Mcp.Runtimes.Qemu.Guests.Nanos;
using Mcp.Runtimes.Qemu.Network;
using Mcp.Runtimes.Qemu.Qmp;

namespace Mcp.Runtimes.Qemu;

/// <summary>Components as virtual machines of their own, one runtime for each kind of guest.</summary>
public sealed class QemuRuntime : IRuntime
{
    private static readonly TimeSpan s_startLimit = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_answer = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_press = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_quit = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan s_watch = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan s_version = TimeSpan.FromSeconds(10);
    private readonly QemuOptions _options;
    private readonly IsolatedBridge _bridge;
    private readonly IGuest _guest;
    private readonly GuestQuestions _questions = new();
    private readonly Accelerator _accelerator;
    private readonly ImageStore _images;
    private readonly LogStore _logs;
    private readonly string _vms;

    private QemuRuntime(QemuOptions options, IsolatedBridge bridge, Accelerator accelerator, IGuest guest, LocalImages? local)
    {
        (_options, _bridge, _accelerator, _guest) = (options, bridge, accelerator, guest);
        _images = new ImageStore(options.Images, new RegistryCredentials(options.AuthFile), options.ImageLimits, local);
        _vms = Path.Combine(options.Vms, Name);
        _logs = new LogStore(Path.Combine(options.Logs, Name));
        VmDirectory.Sweep(_vms);
        _images.Sweep();
    }

    public string Name => Spellings.Runtimes.Spell(_guest.Kind);

    /// <param name="local">Images that no registry has; null: none.</param>
    public static QemuRuntime Microvms(QemuOptions options, IsolatedBridge bridge, LocalImages? local = null)
    {
        SharedFile.Sweep(options.Guests);
        var accelerator = new Accelerator(options);
        return new QemuRuntime(options, bridge, accelerator, new LinuxGuest(options, accelerator), local);
    }

    /// <inheritdoc cref="Microvms"/>
    public static QemuRuntime Unikernels(QemuOptions options, IsolatedBridge bridge, LocalImages? local = null) =>
        new(options, bridge, new Accelerator(options), new NanosGuest(options), local);

    public async Task<RuntimeAvailability> ProbeAsync(CancellationToken ct)
    {
        try
        {
            var (_, said) = await Programs.RunAsync(Programs.Start(_options.Program, ["--version"]), s_version, ct);
            if (Programs.Find("setpriv") is null)
                return new RuntimeAvailability.Unusable("there is no program setpriv", "install the package util-linux");
            if (_options.User is { } user)
                await VmUser.FindAsync(user, ct);
            var guest = await _guest.ProbeAsync(ct);
            if (guest is not RuntimeAvailability.Usable { Version: var version })
                return guest;
            var qemu = said.Split('\n')[0].Split('(')[0].Trim();
            var limits = ControlGroup.WhyNot(ControlGroup.Root) is { Length: > 0 } why ? $", QEMU itself without limits: {why}" : "";
            return new RuntimeAvailability.Usable($"{qemu}, {await _accelerator.DescribeAsync(ct)}, {version}{limits}");
        }
        catch (McpException e)
        {
            return new RuntimeAvailability.Unusable(e.Message, e.Hint.Length > 0 ? e.Hint : "install the package qemu-system-x86");
        }
        catch (IOException e)
        {
            return new RuntimeAvailability.Unusable(e.Message, $"is {_options.State} writable, and its disk not full?");
        }
    }

    public async Task<string> PullAsync(ImageReference image, ImageWish wish, IProgress<string>? progress, CancellationToken ct)
    {
        if (await ProbeAsync(ct) is RuntimeAvailability.Unusable { Reason: var reason, Hint: var hint })
            throw new McpException(ErrorCode.RuntimeMissing, $"this node cannot run a {Name}: {reason}", hint);
        return (await _images.HaveAsync(image, wish, _options.PullLimit, progress, ct)).Digest;
    }

    public Task<IReadOnlyList<string>> DigestsAsync(InstanceName name, CancellationToken ct) =>
        Task.FromResult<IReadOnlyList<string>>(Directory(name).Record?.Digest is { Length: > 0 } digest ? [$"{new Digest(digest)}"] : []);

    public Task<ImageLook?> LookAsync(ImageReference image, ImageWish wish, CancellationToken ct) =>
        _images.LookAsync(image, wish, new RegistryImages(_options.AuthFile), ct);

    public async Task RunAsync(InstanceSpec spec, CancellationToken ct)
    {
        var vm = Directory(spec.Name);
        var existing = vm.Info();
        if (existing is { State: InstanceState.Running } && existing.SpecHash == spec.SpecHash)
            return;
        HostSide.Check(spec);
        // Of another spec, or half made by a process that was killed.
        await RemoveAsync(spec.Name, ct);
        // Until its record says what it is made of.
        using var claim = await _images.ClaimAsync(ct);
        var image = await ImageAsync(spec, ct);
        try
        {
            vm.Create();
            var bridged = spec.Component.Network == "bridge";
            var network = bridged ? await _bridge.JoinAsync(vm.Path, Addresses(), ct) : GuestNetwork.User;
            var user = _options.User is { } name ? await VmUser.FindAsync(name, ct) : null;
            var memory = Vm.MemoryMb(spec) + _guest.KernelMb;
            var boot = await _guest.BuildAsync(image, spec, network, vm.Machine, ct);
            var acceleration = await _accelerator.ChooseAsync(ct);
            var record = new VmRecord
            {
                Name = spec.Name.ToString(),
                Image = spec.Component.Image.Text,
                Digest = image.Digest,
                Definition = RevisionCodec.Write(spec.Component),
                Mounts = spec.Mounts,
                SpecHash = spec.SpecHash,
                Ports = spec.Ports,
                Program = QemuCommandLine.Of(_options, spec, boot, network, acceleration, user, memory),
                Beside = QemuCommandLine.Beside(boot, vm.Path),
                ReadOnly = QemuCommandLine.ReadOnly(boot),
                ExitFrom = boot.ExitFrom,
                Channel = boot.Channel,
                Check = boot.Channel > 0 ? image.Check : null,
                Own = boot.Own,
                Limits = VmLimits.Of(memory, Vm.Cpus(spec)),
                Log = _logs.Of(spec.Name).Directory,
                ConsoleBytes = _options.ConsoleBytes,
                ConsoleFiles = _options.ConsoleFiles,
                User = user,
                Bridge = network.Bridge,
                Address = bridged ? network.Address.ToString() : null,
                Forwards = bridged ? spec.Ports : [],
            };
            vm.Write("vm.json", record, VmJson.Default.VmRecord);
        }
        catch (IOException e)
        {
            vm.Remove();
            throw new McpException(
                ErrorCode.InstanceStart,
                $"cannot make {spec.Name}: {e.Message}",
                "is the node's disk full? mcp node show says",
                e);
        }
        catch
        {
            vm.Remove();
            throw;
        }

        await StartAsync(spec.Name, ct);
    }

    public async Task<bool> FillAsync(InstanceSpec spec, string path, string directory, CancellationToken ct)
    {
        using var claim = await _images.ClaimAsync(ct);
        var image = await ImageAsync(spec, ct);
        var from = RootedPath.Resolve(image.Root, path, followLast: true);
        if (!System.IO.Directory.Exists(from))
            return false;
        await FileCopy.DirectoryAsync(from, directory, ct);
        return true;
    }

    public Task<FormerData?> FormerAsync(InstanceName name, string path, CancellationToken ct) => Task.FromResult<FormerData?>(null);

    public async Task StartAsync(InstanceName name, CancellationToken ct)
    {
        var vm = Directory(name);
        if (vm.Record is not { } record)
            throw new McpException(ErrorCode.InstanceStart, $"there is no {name}", "");
        if (vm.Keeper() is not null)
            return;
        if (!await EndedAsync(vm, s_quit, ct))
        {
            throw new McpException(
                ErrorCode.InstanceStart,
                $"{name} is not started: processes of its last run have not ended",
                "look at them: ps axf");
        }

        if (record.Bridge is not null)
            await _bridge.EnsureAsync(ct);
        var run = Guid.NewGuid().ToString("N");
        using var keeper = Process.Start(Programs.Start(_options.Launcher[0], [.. _options.Launcher.Skip(1), vm.Path, run]))
            ?? throw new McpException(ErrorCode.InstanceStart, $"{_options.Launcher[0]} did not start", "");
        using var limit = new Within(s_startLimit, ct);
        try
        {
            while (!await StartedAsync(vm, run, limit.Token))
                await Task.Delay(5, limit.Token);
        }
        catch (OperationCanceledException) when (limit.IsOver)
        {
            await StopAsync(name, TimeSpan.Zero, ct);
            throw new McpException(ErrorCode.InstanceStart, $"{name} did not start within {s_startLimit.TotalSeconds:0} s", "");
        }
    }

    public async Task StopAsync(InstanceName name, TimeSpan grace, CancellationToken ct)
    {
        var vm = Directory(name);
        if (vm.HasEnded())
            return;
        // Pressed again and again: a guest that has just begun to boot does not see the button yet.
        for (var clock = Stopwatch.StartNew(); clock.Elapsed < grace;)
        {
            var told = await TellAsync(vm, "system_powerdown", ct);
            var left = grace - clock.Elapsed;
            if (await EndedAsync(vm, left < s_press ? left : s_press, ct))
                return;
            if (!told)
                break;
        }

        if (await TellAsync(vm, "quit", ct) && await EndedAsync(vm, s_quit, ct))
            return;
        // The keeper kills QEMU on SIGTERM, and QEMU dies with its keeper.
        foreach (var signal in (int[])[Posix.TermSignal, Posix.KillSignal])
        {
            if (vm.Keeper() is > 0 and var keeper)
                Posix.Signal(keeper, signal);
            if (await EndedAsync(vm, s_quit, ct))
                return;
        }

        throw new McpException(ErrorCode.InstanceStop, $"{name} does not end, whatever is done", "look at its process: ps axf");
    }

    public async Task RemoveAsync(InstanceName name, CancellationToken ct)
    {
        await StopAsync(name, TimeSpan.Zero, ct);
        var vm = Directory(name);
        vm.Remove();
        _bridge.Leave(vm.Path);
    }

    public async Task<InstanceInfo?> InspectAsync(InstanceName name, CancellationToken ct)
    {
        var vm = Directory(name);
        var info = vm.Info();
        if (info is not { State: InstanceState.Running })
            return info;
        try
        {
            using var limit = new Within(s_answer, ct);
            await using var monitor = await QmpClient.ConnectAsync(vm.Machine, QmpClient.CommandSocket, limit.Token);
            var status = (await monitor.CallAsync("query-status", limit.Token)).GetProperty("status").GetString();
            return status switch
            {
                "guest-panicked" or "internal-error" or "io-error" =>
                    info with { State = InstanceState.Failed, Reason = $"QEMU says {status}" },
                "paused" => info with { State = InstanceState.Paused },
                _ => info,
            };
        }
        catch (Exception e) when (e is IOException || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            // It runs, and does not answer just now; or it ended meanwhile.
            return vm.Info();
        }
    }

    public Task<IReadOnlyList<InstanceInfo>> ListAsync(CancellationToken ct) =>
        Task.FromResult<IReadOnlyList<InstanceInfo>>([.. VmDirectory.All(_vms).Select(v => v.Info()).OfType<InstanceInfo>()]);

    public Task<IReadOnlyList<VolumeHolder>> HoldersAsync(CancellationToken ct) =>
        Task.FromResult<IReadOnlyList<VolumeHolder>>([.. VmDirectory.All(_vms).Select(v => v.Holder())]);

    public IAsyncEnumerable<LogLine> LogsAsync(InstanceName name, LogOptions options, CancellationToken ct)
    {
        var vm = Directory(name);
        var files = vm.Record is { Log: null } ? new LogFiles(vm.Path) : _logs.Of(name);
        return LogReader.ReadAsync(files, options, _ => ValueTask.FromResult(vm.Keeper() is not null), ct);
    }

    public IReadOnlyList<InstanceLog> Logged() => _logs.All();

    public bool MarkLog(InstanceName name, bool isGone) => _logs.MarkGone(name, isGone);

    public void ForgetLog(InstanceName name) => _logs.Forget(name);

    public async IAsyncEnumerable<RuntimeEvent> WatchAsync([EnumeratorCancellation] CancellationToken ct)
    {
        var before = Seen();
        while (true)
        {
            await Task.Delay(s_watch, ct);
            var now = Seen();
            foreach (var (name, run) in now.Except(before).Concat(before.Except(now)).DistinctBy(v => v.Key))
                yield return new RuntimeEvent(name, run is null ? "stopped" : "changed");
            before = now;
        }
    }

    public Task<(int ExitCode, string Output)> ExecAsync(
        InstanceName name,
        IReadOnlyList<string> command,
        TimeSpan limit,
        CancellationToken ct) =>
        _questions.ExecAsync(Directory(name), command, limit, ct);

    public Task<bool?> ListensAsync(InstanceName name, int port, CancellationToken ct) =>
        _questions.ListensAsync(Directory(name), port, ct);

    private VmDirectory Directory(InstanceName name) => new(Path.Combine(_vms, name.ToString()));

    // Which run of each VM is under way; null: none is.
    private Dictionary<InstanceName, string?> Seen() =>
        VmDirectory.All(_vms).ToDictionary(
            v => InstanceName.Parse(Path.GetFileName(v.Path)), v => v.Keeper() is null ? null : v.Run?.Run ?? "");

    private Task<StoredImage> ImageAsync(InstanceSpec spec, CancellationToken ct) =>
        _images.HaveAsync(spec.Component.Image, new ImageWish(Kept: spec.KeptImage), _options.PullLimit, null, ct);

    private IEnumerable<string> Addresses() => EveryVm().Select(v => v.Record?.Address).OfType<string>();

    // Of all kinds: they share images and the bridge.
    private IEnumerable<VmDirectory> EveryVm() => VmDirectory.Every(_options.Vms);

    private static async Task<bool> StartedAsync(VmDirectory vm, string run, CancellationToken ct)
    {
        if (vm.Exit is { } exit && exit.Run == run)
        {
            // A program that had nothing to do may be done already.
            if (exit.Code is not null)
                return true;
            throw exit.Reason.Contains("Could not set up host forwarding rule", StringComparison.Ordinal)
                || exit.Reason.Contains("Address already in use", StringComparison.OrdinalIgnoreCase)
                ? new McpException(
                    ErrorCode.PortInUse,
                    $"cannot start {Path.GetFileName(vm.Path)}: a port is in use: {exit.Reason}",
                    "free the port (ss -ltnp shows who has it) or choose another one")
                : new McpException(ErrorCode.InstanceStart, $"cannot start {Path.GetFileName(vm.Path)}: {exit.Reason}", "");
        }

        if (vm.Run?.Run != run)
            return false;
        try
        {
            await using var monitor = await QmpClient.ConnectAsync(vm.Machine, QmpClient.CommandSocket, ct);
            return (await monitor.CallAsync("query-status", ct)).GetProperty("running").GetBoolean();
        }
        catch (IOException)
        {
            return false;
        }
    }

    private static async Task<bool> TellAsync(VmDirectory vm, string command, CancellationToken ct)
    {
        using var limit = new Within(s_answer, ct);
        try
        {
            await using var monitor = await QmpClient.ConnectAsync(vm.Machine, QmpClient.CommandSocket, limit.Token);
            await monitor.CallAsync(command, limit.Token);
            return true;
        }
        catch (Exception e) when (e is IOException || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            // quit may end it before it answers.
            return command == "quit" && vm.Keeper() is null;
        }
    }

    private static async Task<bool> EndedAsync(VmDirectory vm, TimeSpan limit, CancellationToken ct)
    {
        var clock = Stopwatch.StartNew();
        while (!vm.HasEnded())
        {
            if (clock.Elapsed > limit)
                return false;
            await Task.Delay(20, ct);
        }

        return true;
    }
}
