using System.Net;
using System.Net.Sockets;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Instances;
using Mcp.Model.Names;
using Mcp.Model.Revisions;
using Mcp.Runtimes;

namespace Mcp.TestKit.Contracts;

/// <summary>What every runtime promises. The image runs a server that logs "listening on PORT" and ends with 0 when asked to
/// stop.</summary>
public abstract class RuntimeContract : IAsyncLifetime
{
    private static readonly TimeSpan s_grace = TimeSpan.FromSeconds(10);
    private readonly InstanceName _name = InstanceName.Parse($"contract-{Guid.NewGuid().ToString("N")[..8]}.web.1");

    protected abstract IRuntime Runtime { get; }

    protected abstract ImageReference Image { get; }

    protected abstract ImageReference MissingImage { get; }

    public virtual ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public virtual async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await Runtime.RemoveAsync(_name, CancellationToken.None);
        Runtime.ForgetLog(_name);
    }

    [Fact]
    public async Task It_says_that_it_is_usable_and_its_version() =>
        Assert.NotEmpty(Assert.IsType<RuntimeAvailability.Usable>(await Runtime.ProbeAsync(default)).Version);

    [Fact]
    public async Task An_image_that_does_not_exist_is_an_error_that_names_it()
    {
        var e = await Assert.ThrowsAsync<McpException>(() => Runtime.PullAsync(MissingImage, new ImageWish(), null, default));
        Assert.Equal(ErrorCode.ImagePull, e.Code);
        Assert.Contains(MissingImage.Text, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_runs_is_listed_and_inspected_with_its_spec_its_definition_and_its_ports()
    {
        var spec = await RunAsync();
        var listed = Assert.Single(await Runtime.ListAsync(default), i => i.Name == _name);
        Assert.Equal((InstanceState.Running, spec.SpecHash, null), (listed.State, listed.SpecHash, listed.ExitCode));
        Assert.Equal(spec.Ports, listed.Ports);
        Assert.Equal(RevisionCodec.Write(spec.Component), listed.Definition);
        var inspected = (await Runtime.InspectAsync(_name, default))!;
        Assert.Equal(
            (listed.Name, listed.State, listed.SpecHash, listed.Definition),
            (inspected.Name, inspected.State, inspected.SpecHash, inspected.Definition));
        Assert.NotNull(inspected.Started);
    }

    [Fact]
    public async Task Its_published_port_is_reached_on_exactly_the_address_asked_for()
    {
        var spec = await RunAsync();
        await ConnectAsync(spec.Ports[0].Host);
        using var elsewhere = new TcpListener(IPAddress.Parse("127.0.0.2"), spec.Ports[0].Host);
        elsewhere.Start();
    }

    [Theory]
    [InlineData("0.0.0.0", "127.0.0.1", "127.0.0.3")]
    [InlineData("127.0.0.3", "127.0.0.3")]
    public async Task A_fixed_port_passes_bytes_on_every_address_it_was_asked_for(string address, params string[] reached)
    {
        var spec = await RunAsync(address: address);
        Assert.Equal(spec.Ports, Assert.Single(await Runtime.ListAsync(default), i => i.Name == _name).Ports);
        foreach (var there in reached)
            Assert.StartsWith("HTTP/1", await AnswerAsync(IPAddress.Parse(there), spec.Ports[0].Host), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Running_it_again_leaves_it_as_it_is()
    {
        var spec = await RunAsync();
        var before = (await Runtime.InspectAsync(_name, default))!.Started;
        await Runtime.RunAsync(spec, default);
        Assert.Equal(before, (await Runtime.InspectAsync(_name, default))!.Started);
    }

    [Fact]
    public async Task Running_another_spec_under_the_same_name_replaces_it()
    {
        var spec = await RunAsync();
        await Runtime.RunAsync(spec with { SpecHash = "another" }, default);
        Assert.Equal("another", (await Runtime.InspectAsync(_name, default))!.SpecHash);
        Assert.Single(await Runtime.ListAsync(default), i => i.Name == _name);
    }

    [Fact]
    public async Task Stopped_it_has_its_exit_code_and_starts_again()
    {
        await RunAsync();
        await ListeningAsync();
        await Runtime.StopAsync(_name, s_grace, default);
        var stopped = (await Runtime.InspectAsync(_name, default))!;
        Assert.Equal((InstanceState.Exited, 0), (stopped.State, stopped.ExitCode));
        await Runtime.StopAsync(_name, s_grace, default);
        await Runtime.StartAsync(_name, default);
        Assert.Equal(InstanceState.Running, (await Runtime.InspectAsync(_name, default))!.State);
        await Runtime.StartAsync(_name, default);
    }

    [Fact]
    public async Task Removed_it_is_gone_and_removing_again_harms_nothing()
    {
        await RunAsync();
        await Runtime.RemoveAsync(_name, default);
        await Runtime.RemoveAsync(_name, default);
        await Runtime.StopAsync(_name, s_grace, default);
        Assert.Null(await Runtime.InspectAsync(_name, default));
        Assert.DoesNotContain(await Runtime.ListAsync(default), i => i.Name == _name);
    }

    [Fact]
    public async Task A_port_that_is_listened_on_is_not_denied_for_long()
    {
        await RunAsync();
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (await Runtime.ListensAsync(_name, 8080, limit.Token) is false)
            await Task.Delay(50, limit.Token);
    }

    [Fact]
    public async Task Its_log_has_times_and_can_be_cut_to_its_tail()
    {
        var before = TimeProvider.System.GetUtcNow();
        await RunAsync();
        await ListeningAsync();
        await Runtime.StopAsync(_name, s_grace, default);
        var all = await LinesAsync(new LogOptions());
        Assert.True(all.Count >= 2);
        Assert.All(all, l => Assert.InRange(l.Time, before.AddSeconds(-1), TimeProvider.System.GetUtcNow().AddSeconds(1)));
        Assert.Equal(all[^1], Assert.Single(await LinesAsync(new LogOptions(Tail: 1))));
        Assert.Empty(await LinesAsync(new LogOptions(Since: TimeProvider.System.GetUtcNow().AddMinutes(1))));
        Assert.Empty(await LinesAsync(new LogOptions { Until = before.AddMinutes(-1) }));
        Assert.Equal(all, await LinesAsync(new LogOptions { Until = TimeProvider.System.GetUtcNow().AddMinutes(1) }));
        var listening = all.Where(l => l.Text.Contains("listening", StringComparison.Ordinal)).ToList();
        var found = await LinesAsync(new LogOptions(Tail: 100) { Matches = t => t.Contains("listening", StringComparison.Ordinal) });
        Assert.Equal(listening, found);
    }

    [Fact]
    public async Task Followed_its_log_goes_on_until_it_ends()
    {
        await RunAsync();
        await ListeningAsync();
        var following = LinesAsync(new LogOptions(Follow: true));
        await Runtime.StopAsync(_name, s_grace, default);
        Assert.Contains(await following, l => l.Text.Contains("stopping", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Its_log_stays_when_it_is_removed_until_it_is_forgotten()
    {
        await RunAsync();
        await ListeningAsync();
        await Runtime.StopAsync(_name, s_grace, default);
        var before = await LinesAsync(new LogOptions());
        await Runtime.RemoveAsync(_name, default);
        Assert.Equal(before, await LinesAsync(new LogOptions()));
        var logged = Assert.Single(Runtime.Logged(), l => l.Name == _name);
        Assert.InRange(logged.Written, before[0].Time.AddSeconds(-1), TimeProvider.System.GetUtcNow().AddSeconds(1));
        Runtime.ForgetLog(_name);
        Runtime.ForgetLog(_name);
        Assert.DoesNotContain(Runtime.Logged(), l => l.Name == _name);
        Assert.Empty(await LinesAsync(new LogOptions()));
    }

    [Fact]
    public async Task Followed_over_a_restart_each_line_comes_once()
    {
        await RunAsync();
        await ListeningAsync();
        var stays = true;
        var following = LinesAsync(new LogOptions(Follow: true) { Stays = _ => ValueTask.FromResult(Volatile.Read(ref stays)) });
        await Runtime.StopAsync(_name, s_grace, default);
        await Runtime.StartAsync(_name, default);
        while ((await LinesAsync(new LogOptions())).Count(l => l.Text.Contains("listening on 8080", StringComparison.Ordinal)) < 2)
            await Task.Delay(20);
        await Runtime.StopAsync(_name, s_grace, default);
        Volatile.Write(ref stays, false);
        var lines = await following;
        Assert.Equal(await LinesAsync(new LogOptions()), lines);
        Assert.Equal(2, lines.Count(l => l.Text.Contains("stopping", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_watcher_hears_of_what_happens_to_it()
    {
        using var over = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        await RunAsync();
        var heard = Task.Run(async () =>
        {
            await foreach (var happened in Runtime.WatchAsync(over.Token))
            {
                if (happened.Name == _name)
                    return true;
            }

            return false;
        });
        while (!heard.IsCompleted)
        {
            await Runtime.StopAsync(_name, s_grace, default);
            await Runtime.StartAsync(_name, default);
        }

        Assert.True(await heard);
    }

    [Fact]
    public async Task A_port_in_use_is_an_error_and_leaves_nothing_that_runs()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var e = await Assert.ThrowsAsync<McpException>(() => RunAsync(((IPEndPoint)taken.LocalEndpoint).Port));
        Assert.Equal(ErrorCode.PortInUse, e.Code);
        Assert.NotEqual(InstanceState.Running, (await Runtime.InspectAsync(_name, default))?.State);
    }

    [Fact]
    public async Task A_port_on_an_address_of_another_host_is_an_error_that_names_it_and_leaves_nothing()
    {
        // RFC 5737: nobody's.
        var e = await Assert.ThrowsAsync<McpException>(() => RunAsync(address: "203.0.113.9"));
        Assert.Equal(ErrorCode.PortAddress, e.Code);
        Assert.Contains("203.0.113.9", e.Message, StringComparison.Ordinal);
        Assert.Null(await Runtime.InspectAsync(_name, default));
    }

    [Fact]
    public async Task A_call_that_is_cancelled_ends()
    {
        await RunAsync();
        using var soon = new CancellationTokenSource(TimeSpan.FromMilliseconds(300));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var _ in Runtime.WatchAsync(soon.Token))
            {
            }

            soon.Token.ThrowIfCancellationRequested();
        });
    }

    private async Task<InstanceSpec> RunAsync(int? hostPort = null, string address = "127.0.0.1")
    {
        var component = ServiceFile.Parse($"""
            name = "{_name.Service}"
            [[components]]
            name = "web"
            image = "{Image}"
            """, "contract").Components[0];
        var spec = new InstanceSpec(
            _name,
            component,
            RevisionId.Of(component),
            new Dictionary<string, string> { ["PORT"] = "8080" },
            [new FixedPort(address, hostPort ?? FreePort(), 8080)]);
        await Runtime.PullAsync(Image, new ImageWish(), null, default);
        await Runtime.RunAsync(spec, default);
        return spec;
    }

    /// <summary>Running is not yet listening: refused for a moment is no mistake.</summary>
    private static async Task ConnectAsync(int port)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (true)
        {
            using var client = new TcpClient();
            try
            {
                await client.ConnectAsync(IPAddress.Loopback, port, limit.Token);
                return;
            }
            catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionRefused)
            {
                await Task.Delay(50, limit.Token);
            }
        }
    }

    /// <summary>The first line that comes back. That a connection is taken says nothing: whoever keeps the port may take it for an instance
    /// that hears nothing.</summary>
    private static async Task<string> AnswerAsync(IPAddress address, int port)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (true)
        {
            try
            {
                using var client = new TcpClient();
                await client.ConnectAsync(address, port, limit.Token);
                await client.GetStream().WriteAsync("GET / HTTP/1.0\r\n\r\n"u8.ToArray(), limit.Token);
                using var reader = new StreamReader(client.GetStream());
                if (await reader.ReadLineAsync(limit.Token) is { } line)
                    return line;
            }
            catch (Exception e) when (e is SocketException or IOException)
            {
                // Not listening yet.
            }

            await Task.Delay(50, limit.Token);
        }
    }

    private async Task ListeningAsync()
    {
        while (!(await LinesAsync(new LogOptions())).Any(l => l.Text.Contains("listening on 8080", StringComparison.Ordinal)))
            await Task.Delay(20);
    }

    private async Task<List<LogLine>> LinesAsync(LogOptions options)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        var lines = new List<LogLine>();
        await foreach (var line in Runtime.LogsAsync(_name, options, limit.Token))
            lines.Add(line);
        return lines;
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
