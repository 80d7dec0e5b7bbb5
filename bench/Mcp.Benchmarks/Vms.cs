using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Mcp.Model.Definition;
using Mcp.Model.Instances;
using Mcp.Model.Names;
using Mcp.Model.Revisions;
using Mcp.Runtimes;
using Mcp.Runtimes.Qemu;
using Mcp.Runtimes.Qemu.Network;

namespace Mcp.Benchmarks;

/// <summary>Starts of VMs against the bare QEMU command line, many boots in a row with the guest's clock, and lists of many VMs. Real guests, published keeper.</summary>
internal sealed class Vms(QemuOptions options, ImageReference image) : IDisposable
{
    private const int ClockEvery = 10;
    private static readonly TimeSpan s_boot = TimeSpan.FromSeconds(40);
    private static readonly TimeSpan s_clock = TimeSpan.FromSeconds(4);
    private static readonly TimeSpan s_shortClock = TimeSpan.FromSeconds(1);
    private readonly IsolatedBridge _bridge = new("mcp-bench0", "10.87.10");
    // Many short whole requests: QEMU's user network takes a connection before the guest listens, and that one then hangs.
    private readonly HttpClient _http = new(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.Zero }) { Timeout = TimeSpan.FromMilliseconds(200) };

    public static async Task<int> RunAsync(string what, string state, string bin, string ops, string image, int times)
    {
        var options = new QemuOptions(state, [Path.Combine(bin, "mcp-agent"), "vm"]) { Ops = ops, Acceleration = Acceleration.Auto };
        using var vms = new Vms(options, ImageReference.Parse(image));
        foreach (var runtime in (QemuRuntime[])[QemuRuntime.Microvms(options, vms._bridge), QemuRuntime.Unikernels(options, vms._bridge)])
        {
            await runtime.PullAsync(vms.Image, new ImageWish(), null, default);
            if (what == "starts")
                await vms.StartsAsync(runtime, times);
            else if (what == "boots")
                await vms.BootsAsync(runtime, times);
            else
                await ListAsync(runtime, Path.Combine(options.Vms, runtime.Name), times);
        }

        return 0;
    }

    private ImageReference Image => image;

    public void Dispose()
    {
        _http.Dispose();
        _bridge.Dispose();
    }

    private async Task StartsAsync(QemuRuntime runtime, int pairs)
    {
        var (spec, port) = Spec(runtime, 1);
        var directory = Path.Combine(options.Vms, runtime.Name, spec.Name.ToString());
        // The first run makes what later ones share.
        await runtime.RunAsync(spec, default);
        await ServesAsync(port);
        await OwnMemoryAsync(runtime, directory);
        var (ours, bare) = (new List<double>(), new List<double>());
        for (var i = 0; i < pairs; i++)
        {
            await runtime.RemoveAsync(spec.Name, default);
            var clock = Stopwatch.StartNew();
            await runtime.RunAsync(spec, default);
            await ServesAsync(port);
            ours.Add(clock.Elapsed.TotalMilliseconds);
            await runtime.StopAsync(spec.Name, TimeSpan.Zero, default);
            bare.Add(await BareAsync(directory, port));
        }

        await runtime.RemoveAsync(spec.Name, default);
        var ratios = ours.Zip(bare, (a, b) => a / b).Order().ToList();
        Say($"{runtime.Name}: first HTTP 200 after {Median(ours):0} ms, bare QEMU {Median(bare):0} ms; ratio {ratios[pairs / 2]:0.00} ({ratios[0]:0.00} to {ratios[^1]:0.00}, {pairs} pairs)");
    }

    // The same program and arguments in the same directory, without any of ours about it.
    private async Task<double> BareAsync(string directory, int port)
    {
        using var record = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(directory, "vm.json")));
        var program = record.RootElement.GetProperty("program").EnumerateArray().Select(a => a.GetString()!).SkipWhile(a => a != "--").Skip(1).ToList();
        var machine = Path.Combine(directory, "machine");
        foreach (var socket in Directory.GetFiles(machine, "*.sock"))
            File.Delete(socket);
        var start = new ProcessStartInfo(program[0], program.Skip(1)) { WorkingDirectory = machine, RedirectStandardOutput = true, RedirectStandardInput = true, RedirectStandardError = true };
        var clock = Stopwatch.StartNew();
        using var qemu = Process.Start(start)!;
        qemu.BeginOutputReadLine();
        await ServesAsync(port);
        var took = clock.Elapsed.TotalMilliseconds;
        qemu.Kill();
        await qemu.WaitForExitAsync();
        return took;
    }

    private async Task BootsAsync(QemuRuntime runtime, int times)
    {
        var (took, worst) = (new List<double>(), 0.0);
        for (var i = 1; i <= times; i++)
        {
            var (spec, port) = Spec(runtime, i);
            var clock = Stopwatch.StartNew();
            await runtime.RunAsync(spec, default);
            await ServesAsync(port);
            took.Add(clock.Elapsed.TotalMilliseconds);
            if (i % Math.Min(ClockEvery, times) == 0)
            {
                var (guest, host) = await ClocksAsync(port);
                await Task.Delay(times < ClockEvery ? s_shortClock : s_clock);
                var (guestLater, hostLater) = await ClocksAsync(port);
                var drift = ((guestLater - guest) / (hostLater - host)) - 1;
                worst = Math.Abs(drift) > Math.Abs(worst) ? drift : worst;
            }

            await runtime.RemoveAsync(spec.Name, default);
        }

        took.Sort();
        Say($"{runtime.Name}: {times} boots in a row, all serve; {took[0]:0} to {took[^1]:0} ms, median {Median(took):0}; the guest's clock at worst {worst:+0.00%;-0.00%}");
    }

    // Seconds of both at the same moment, as of the quickest of some requests: between its ends the guest has looked.
    private async Task<(double Guest, double Host)> ClocksAsync(int port)
    {
        var best = (Guest: 0.0, Host: 0.0, Took: double.MaxValue);
        for (var i = 0; i < 10; i++)
        {
            var before = Stopwatch.GetTimestamp();
            try
            {
                var guest = double.Parse(await _http.GetStringAsync(new Uri($"http://127.0.0.1:{port}/cgi-bin/uptime")), CultureInfo.InvariantCulture);
                var took = Stopwatch.GetElapsedTime(before).TotalSeconds;
                if (took < best.Took)
                    best = (guest, (before / (double)Stopwatch.Frequency) + (took / 2), took);
            }
            catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
            {
                // Too late to be of use.
            }
        }

        return (best.Guest, best.Host);
    }

    private static async Task OwnMemoryAsync(QemuRuntime runtime, string directory)
    {
        using var run = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(directory, "run.json")));
        var qemu = run.RootElement.GetProperty("qemuPid").GetInt32();
        var keeper = int.Parse((await File.ReadAllLinesAsync($"/proc/{qemu}/status")).First(l => l.StartsWith("PPid:", StringComparison.Ordinal))[5..], CultureInfo.InvariantCulture);
        var mappings = await File.ReadAllLinesAsync($"/proc/{qemu}/smaps");
        // The guest's RAM is the largest of its mappings that are touched.
        var sizes = mappings.Where(l => l.StartsWith("Pss:", StringComparison.Ordinal)).Select(l => int.Parse(l.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture)).ToList();
        Say($"{runtime.Name}: QEMU itself {(sizes.Sum() - sizes.Max()) / 1024.0:0} MiB (proportional) beside {sizes.Max() / 1024.0:0} MiB of guest memory touched; its keeper {Pss(keeper) / 1024.0:0.0} MiB");
    }

    private static int Pss(int process) => File.ReadLines($"/proc/{process}/smaps_rollup").Where(l => l.StartsWith("Pss:", StringComparison.Ordinal)).Select(l => int.Parse(l.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture)).First();

    // As VMs that run: their records, and locks that this process holds in the place of keepers.
    private static async Task ListAsync(QemuRuntime runtime, string directory, int times)
    {
        var component = Component(runtime, "x.lan/y:1");
        var locks = new List<FileStream>();
        for (var i = 1; i <= times; i++)
        {
            var vm = Directory.CreateDirectory(Path.Combine(directory, $"list.web.{i}")).FullName;
            await File.WriteAllTextAsync(Path.Combine(vm, "vm.json"), JsonSerializer.Serialize(new { name = $"list.web.{i}", image = "x.lan/y:1", digest = "sha256:0", definition = RevisionCodec.Write(component), specHash = "h", ports = Array.Empty<int>(), program = Enumerable.Repeat("an argument of QEMU's", 40), beside = Array.Empty<string>(), readOnly = new Dictionary<string, string>(), exitFrom = "disk", own = Array.Empty<string>(), limits = new { memoryBytes = 1, cpuPercent = 1 }, consoleBytes = 1, consoleFiles = 1 }));
            await File.WriteAllTextAsync(Path.Combine(vm, "run.json"), JsonSerializer.Serialize(new { run = "r", qemuPid = 1, started = TimeProvider.System.GetUtcNow() }));
            var held = new FileStream(Path.Combine(vm, "keeper.lock"), FileMode.Create, FileAccess.ReadWrite, FileShare.None);
            held.Write("1"u8);
            await held.FlushAsync();
            locks.Add(held);
        }

        var took = new List<double>();
        for (var i = 0; i < 200; i++)
        {
            var clock = Stopwatch.StartNew();
            var running = (await runtime.ListAsync(default)).Count(v => v.State == InstanceState.Running);
            took.Add(clock.Elapsed.TotalMilliseconds);
            if (running != times)
                throw new InvalidOperationException($"{running} of {times} are listed as running");
        }

        Say($"{runtime.Name}: a list of {times} VMs takes {Median(took):0.0} ms (first {took[0]:0.0})");
        foreach (var held in locks)
            await held.DisposeAsync();
        foreach (var vm in Directory.GetDirectories(directory, "list.web.*"))
            Directory.Delete(vm, recursive: true);
    }

    private async Task ServesAsync(int port)
    {
        for (var clock = Stopwatch.StartNew(); clock.Elapsed < s_boot;)
        {
            try
            {
                using var answer = await _http.GetAsync(new Uri($"http://127.0.0.1:{port}/cgi-bin/uptime"));
                if (answer.StatusCode == HttpStatusCode.OK)
                    return;
            }
            catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
            {
                await Task.Delay(2);
            }
        }

        throw new TimeoutException($"the guest does not serve on {port} after {s_boot.TotalSeconds} s");
    }

    private (InstanceSpec Spec, int Port) Spec(QemuRuntime runtime, int generation)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        var component = Component(runtime, image.Text);
        return (new InstanceSpec(new InstanceName(Label.Parse("bench"), component.Name, generation), component, RevisionId.Of(component), new Dictionary<string, string>(), [new FixedPort("127.0.0.1", port, 8080)]), port);
    }

    private static ComponentDefinition Component(QemuRuntime runtime, string image) => ServiceFile.Parse($"""
        name = "bench"
        [[components]]
        name = "web"
        runtime = "{runtime.Name}"
        image = "{image}"
        memory_mb = 128
        cmd = ["-c", "cd /tmp; busybox mkdir -p www/cgi-bin; echo '#!/bin/sh\necho; read a b < /proc/uptime; echo $a' > www/cgi-bin/uptime; busybox chmod +x www/cgi-bin/uptime; exec busybox httpd -f -p 8080 -h www"]
        """, "bench").Components[0];

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);

    private static void Say(FormattableString text) => Console.WriteLine(text.ToString(CultureInfo.InvariantCulture));
}
