using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Text;
using System.Threading.Channels;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Instances;
using Mcp.Model.Names;
using Mcp.Model.Revisions;
using Mcp.Runtimes;

namespace Mcp.TestKit.Fakes;

/// <summary>Instances in memory that listen on their real ports. Passes the RuntimeContract.</summary>
public sealed class FakeRuntime(TimeProvider time) : IRuntime, IDisposable
{
    private readonly ConcurrentDictionary<InstanceName, Instance> _instances = new();
    private readonly ConcurrentDictionary<InstanceName, ConcurrentQueue<LogLine>> _logs = new();
    private readonly ConcurrentDictionary<InstanceName, DateTimeOffset> _gone = new();
    private readonly ConcurrentDictionary<string, string> _pulled = new();
    private readonly Channel<RuntimeEvent> _events = Channel.CreateUnbounded<RuntimeEvent>();

    /// <summary>Images that exist; others fail to pull.</summary>
    public HashSet<string> Images { get; } = [];

    /// <summary>What images have in directories, by image and path: files by name.</summary>
    public Dictionary<(string Image, string Path), Dictionary<string, string>> Contents { get; } = [];

    /// <summary>Components whose instances end with exit code 1 as soon as they run.</summary>
    public HashSet<string> Crashing { get; } = [];

    /// <summary>Components whose instances answer 500, and exit code 1 inside.</summary>
    public HashSet<string> Sick { get; } = [];

    /// <summary>What images say that they should be asked, by component.</summary>
    public Dictionary<string, HealthCheck> OwnChecks { get; } = [];

    /// <summary>Called before and after each change with what it is; throws to make it fail, never returns to make the caller as dead as
    /// kill -9 does.</summary>
    public Func<string, Task> Hook { get; set; } = _ => Task.CompletedTask;

    /// <summary>Held during each change: who takes it sees one moment of all runtimes that share it.</summary>
    public Lock Turn { get; init; } = new();

    /// <summary>Thrown by whatever lists; null: it answers.</summary>
    public McpException? Mute { get; set; }

    public string Name { get; init; } = "fake";

    public Task<RuntimeAvailability> ProbeAsync(CancellationToken ct) =>
        Task.FromResult<RuntimeAvailability>(new RuntimeAvailability.Usable("1"));

    /// <summary>What a registry has under the name of an image; none: the name itself.</summary>
    public Dictionary<string, string> Pushed { get; } = [];

    /// <summary>What each instance was made of.</summary>
    public ConcurrentDictionary<InstanceName, string> MadeOf { get; } = [];

    /// <summary>Of each pull.</summary>
    public ConcurrentQueue<ImageWish> Wishes { get; } = [];

    /// <summary>Told each reference with the image that was made of it here.</summary>
    public Action<string, string> Pulled { get; set; } = (_, _) => { };

    public async Task<string> PullAsync(ImageReference image, ImageWish wish, IProgress<string>? progress, CancellationToken ct)
    {
        await Hook("pull");
        if (!Images.Contains(image.Text))
            throw new McpException(ErrorCode.ImagePull, $"cannot pull {image}: no such image");
        Wishes.Enqueue(wish);
        if (!wish.Ask && wish.Kept.Length > 0)
            return wish.Kept;
        var pulled = Pushed.GetValueOrDefault(image.Text, image.Text);
        _pulled[image.Text] = pulled;
        Pulled(image.Text, pulled);
        return pulled;
    }

    public Task<IReadOnlyList<string>> DigestsAsync(InstanceName name, CancellationToken ct) =>
        Task.FromResult<IReadOnlyList<string>>([]);

    /// <summary>Registries say nothing of images that were not pulled.</summary>
    public bool Silent { get; set; }

    /// <summary>No image is here any more.</summary>
    public void Forget() => _pulled.Clear();

    /// <summary>Paths of VOLUMEs, by what <see cref="PullAsync"/> tells.</summary>
    public Dictionary<string, string[]> Declared { get; } = [];

    public Task<ImageLook?> LookAsync(ImageReference image, ImageWish wish, CancellationToken ct)
    {
        var meant = !wish.Ask && wish.Kept.Length > 0 ? wish.Kept : Pushed.GetValueOrDefault(image.Text, image.Text);
        var isKnown = Silent ? _pulled.ContainsKey(image.Text) : Images.Contains(image.Text);
        var here = wish.Ask && !Silent && _pulled.GetValueOrDefault(image.Text) == meant ? meant : "";
        return Task.FromResult(isKnown ? new ImageLook(Declared.GetValueOrDefault(meant, []), here) : null);
    }

    public async Task RunAsync(InstanceSpec spec, CancellationToken ct)
    {
        await Hook("run");
        lock (Turn)
        {
            if (_instances.TryGetValue(spec.Name, out var there)
                && there.State == InstanceState.Running
                && there.Spec.SpecHash == spec.SpecHash)
            {
                return;
            }

            Remove(spec.Name);
            MadeOf[spec.Name] = spec.KeptImage;
            var instance = new Instance(spec, time, () => Sick.Contains(spec.Name.Component.Text), _logs.GetOrAdd(spec.Name, _ => new()));
            instance.Start();
            _instances[spec.Name] = instance;
            Crash(instance);
            Happened(spec.Name, "start");
        }

        await Hook("ran");
    }

    public async Task<bool> FillAsync(InstanceSpec spec, string path, string directory, CancellationToken ct)
    {
        await Hook("fill");
        if (!Contents.TryGetValue((spec.Component.Image.Text, path), out var files))
            return false;
        Directory.CreateDirectory(directory);
        foreach (var (name, text) in files)
            await File.WriteAllTextAsync(Path.Combine(directory, name), text, ct);
        await Hook("filled");
        return true;
    }

    public Task<FormerData?> FormerAsync(InstanceName name, string path, CancellationToken ct) => Task.FromResult<FormerData?>(null);

    public async Task StartAsync(InstanceName name, CancellationToken ct)
    {
        await Hook("start");
        lock (Turn)
        {
            var instance = _instances.GetValueOrDefault(name) ?? throw new McpException(ErrorCode.InstanceStart, $"there is no {name}");
            instance.Start();
            Crash(instance);
            Happened(name, "start");
        }

        await Hook("started");
    }

    /// <summary>Of each stop of one that ran.</summary>
    public ConcurrentQueue<TimeSpan> Graces { get; } = [];

    public async Task StopAsync(InstanceName name, TimeSpan grace, CancellationToken ct)
    {
        await Hook("stop");
        lock (Turn)
        {
            if (_instances.TryGetValue(name, out var instance) && instance.State == InstanceState.Running)
            {
                Graces.Enqueue(grace);
                instance.End(0);
                Happened(name, "died");
            }
        }

        await Hook("stopped");
    }

    public async Task RemoveAsync(InstanceName name, CancellationToken ct)
    {
        await Hook("remove");
        lock (Turn)
            Remove(name);
        await Hook("removed");
    }

    public Task<InstanceInfo?> InspectAsync(InstanceName name, CancellationToken ct) =>
        Task.FromResult(_instances.GetValueOrDefault(name)?.Info() is { } info
            ? info with { OwnCheck = OwnChecks.GetValueOrDefault(name.Component.Text) }
            : null);

    public Task<IReadOnlyList<InstanceInfo>> ListAsync(CancellationToken ct) => Mute is { } why
        ? Task.FromException<IReadOnlyList<InstanceInfo>>(why)
        : Task.FromResult<IReadOnlyList<InstanceInfo>>([.. _instances.Values.Select(i => i.Info())]);

    public Task<IReadOnlyList<VolumeHolder>> HoldersAsync(CancellationToken ct) => Task.FromResult(Holders());

    public IReadOnlyList<VolumeHolder> Holders() =>
    [
        .. _instances.Values.Select(i => new VolumeHolder(
            i.Spec.Name.ToString(),
            i.Spec.Name,
            i.State == InstanceState.Exited,
            [.. i.Spec.Mounts.Where(v => v.Writable)])),
    ];

    public async IAsyncEnumerable<LogLine> LogsAsync(InstanceName name, LogOptions options, [EnumeratorCancellation] CancellationToken ct)
    {
        var log = _logs.GetValueOrDefault(name) ?? new ConcurrentQueue<LogLine>();
        var first = log.ToList();
        var chosen = first.Where(options.Takes).ToList();
        foreach (var line in chosen.TakeLast(options.Tail ?? chosen.Count))
            yield return line;
        for (var read = first.Count; options.Follow;)
        {
            var writing = _instances.GetValueOrDefault(name)?.State == InstanceState.Running
                || (options.Stays is not null && await options.Stays(ct));
            var more = log.Skip(read).ToList();
            read += more.Count;
            foreach (var line in more.Where(options.Takes))
                yield return line;
            if (!writing)
                yield break;
            await Task.Delay(10, ct);
        }
    }

    public IReadOnlyList<InstanceLog> Logged() =>
        [.. _logs.Select(l => new InstanceLog(
            l.Key,
            _gone.TryGetValue(l.Key, out var gone) ? gone : l.Value.LastOrDefault()?.Time ?? time.GetUtcNow(),
            l.Value.Sum(t => t.Text.Length + 1)))];

    public bool MarkLog(InstanceName name, bool isGone) =>
        isGone ? _gone.TryAdd(name, time.GetUtcNow()) : _gone.TryRemove(name, out _) && isGone;

    public void ForgetLog(InstanceName name) => _logs.TryRemove(name, out _);

    /// <summary>The instance's program writes a line.</summary>
    public void Say(InstanceName name, string text, bool stderr = false) =>
        _logs[name].Enqueue(new LogLine(time.GetUtcNow(), stderr, text));

    public IAsyncEnumerable<RuntimeEvent> WatchAsync(CancellationToken ct) => _events.Reader.ReadAllAsync(ct);

    /// <summary>What a program inside waits for.</summary>
    public Func<InstanceName, CancellationToken, Task> Exec { get; set; } = (_, _) => Task.CompletedTask;

    public async Task<(int ExitCode, string Output)> ExecAsync(
        InstanceName name,
        IReadOnlyList<string> command,
        TimeSpan limit,
        CancellationToken ct)
    {
        await Exec(name, ct);
        return Sick.Contains(name.Component.Text) ? (1, "a secret") : (0, "");
    }

    /// <summary>What it says of every port; null: it need not be asked.</summary>
    public bool? Listens { get; set; }

    public Task<bool?> ListensAsync(InstanceName name, int port, CancellationToken ct) => Task.FromResult(Listens);

    /// <summary>The instance dies by itself.</summary>
    public void Kill(InstanceName name, int exitCode)
    {
        _instances[name].End(exitCode);
        Happened(name, "died");
    }

    /// <summary>The instance runs on, and listens no more.</summary>
    public void Deafen(InstanceName name) => _instances[name].Close();

    public void Dispose()
    {
        foreach (var instance in _instances.Values)
            instance.End(137);
    }

    private void Remove(InstanceName name)
    {
        if (_instances.TryRemove(name, out var instance))
        {
            instance.End(137);
            Happened(name, "removed");
        }
    }

    private void Crash(Instance instance)
    {
        if (Crashing.Contains(instance.Spec.Name.Component.Text))
            instance.End(1);
    }

    private void Happened(InstanceName name, string what) => _events.Writer.TryWrite(new RuntimeEvent(name, what));

    private sealed class Instance(InstanceSpec spec, TimeProvider time, Func<bool> isSick, ConcurrentQueue<LogLine> lines)
    {
        private readonly List<TcpListener> _listeners = [];
        private int? _exitCode;
        private DateTimeOffset _started;

        public InstanceSpec Spec => spec;

        public InstanceState State { get; private set; } = InstanceState.Exited;

        public void Start()
        {
            if (State == InstanceState.Running)
                return;
            foreach (var port in spec.Ports)
                Listen(port);
            (State, _exitCode, _started) = (InstanceState.Running, null, time.GetUtcNow());
            lines.Enqueue(new LogLine(time.GetUtcNow(), false, $"listening on {spec.Env.GetValueOrDefault("PORT")}"));
        }

        public void End(int exitCode)
        {
            if (State != InstanceState.Running)
                return;
            Close();
            lines.Enqueue(new LogLine(time.GetUtcNow(), false, "stopping"));
            (State, _exitCode) = (InstanceState.Exited, exitCode);
        }

        public void Close()
        {
            foreach (var listener in _listeners)
                listener.Stop();
            _listeners.Clear();
        }

        public InstanceInfo Info() =>
            new()
            {
                Name = spec.Name,
                Image = spec.Component.Image.Text,
                State = State,
                ExitCode = _exitCode,
                SpecHash = spec.SpecHash,
                Started = _started,
                Definition = RevisionCodec.Write(spec.Component),
                Ports = spec.Ports,
            };

        private void Listen(FixedPort port)
        {
            var listener = new TcpListener(IPAddress.Parse(port.Address), port.Host);
            try
            {
                listener.Start();
                _listeners.Add(listener);
                _ = AnswerAsync(listener);
            }
            catch (SocketException e)
            {
                listener.Dispose();
                throw e.SocketErrorCode == SocketError.AddressNotAvailable
                    ? new McpException(ErrorCode.PortAddress, $"{port.Address} is not an address of this host", "", e)
                    : new McpException(ErrorCode.PortInUse, $"cannot start {spec.Name}: port {port.Host} is in use", "", e);
            }
        }

        private async Task AnswerAsync(TcpListener listener)
        {
            try
            {
                while (true)
                    _ = AnswerAsync(await listener.AcceptTcpClientAsync());
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException or InvalidOperationException)
            {
                // It has ended.
            }
        }

        private async Task AnswerAsync(TcpClient client)
        {
            using var asking = client;
            try
            {
                if (await client.GetStream().ReadAsync(new byte[4096]) > 0)
                {
                    await client.GetStream()
                        .WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.0 {(isSick() ? "500 No" : "200 OK")}\r\nContent-Length: 0\r\n\r\n"));
                }
            }
            catch (IOException)
            {
                // Whoever asked went away.
            }
        }
    }
}
