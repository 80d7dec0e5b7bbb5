using System.Globalization;
using System.Text.Json;
using Mcp.IntegrationTests.Hosts;
using Mcp.Model.Definition;
using Mcp.Model.Instances;
using Mcp.Model.Names;
using Mcp.Model.Revisions;
using Mcp.Runtimes;

namespace Mcp.IntegrationTests.Runtimes;

/// <summary>What every runtime promises of the log of a program: exactly its lines, in order, none lost and none doubled.</summary>
public abstract class LogContract(NodeFixture node) : IAsyncLifetime
{
    private const string Applets = "for a in awk sleep; do alias $a=\"busybox $a\"; done\n";
    private readonly InstanceName _name = InstanceName.Parse($"log-{Guid.NewGuid().ToString("N")[..8]}.web.1");

    protected NodeFixture Node => node;

    protected abstract IRuntime Runtime { get; }

    /// <summary>Bytes of the long line: a serial line takes its time.</summary>
    protected abstract int LongLine { get; }

    /// <summary>As many as fill more files than are kept.</summary>
    protected abstract int Lines { get; }

    public virtual ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public virtual async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await Runtime.RemoveAsync(_name, CancellationToken.None);
        Runtime.ForgetLog(_name);
    }

    [Fact]
    public async Task Lines_in_one_burst_pass_whole_with_characters_of_several_bytes()
    {
        await RunAsync("""
            awk 'BEGIN { pad = "žß€😀"; for (i = 0; i < 5; i++) pad = pad pad
              for (i = 0; i < 500; i++) printf "{\"i\":%d,\"pad\":\"%s\"}\n", i, pad
              for (i = 0; i < 500; i++) printf "{\"i\":%d,\"pad\":\"%s\"}\n", i, substr("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 1, i % 30) }'
            """);
        var lines = (await EndedAsync()).Where(l => l.Text.StartsWith("{\"i\"", StringComparison.Ordinal)).ToList();
        Assert.Equal(1000, lines.Count);
        var pad = string.Concat(Enumerable.Repeat("žß€😀", 32));
        foreach (var (line, at) in lines.Select((l, at) => (l, at)))
        {
            using var json = JsonDocument.Parse(line.Text);
            Assert.Equal(at % 500, json.RootElement.GetProperty("i").GetInt32());
            if (at < 500)
                Assert.Equal(pad, json.RootElement.GetProperty("pad").GetString());
        }
    }

    [Fact]
    public async Task A_very_long_line_passes_whole_and_what_has_no_end_is_a_line()
    {
        await RunAsync($"awk 'BEGIN {{ for (i = 0; i < {LongLine / 10}; i++) printf \"%010d\", i; print \"\"; printf \"no end\" }}'");
        var texts = (await EndedAsync()).Select(l => l.Text).ToList();
        var expected = string.Concat(Enumerable.Range(0, LongLine / 10).Select(i => i.ToString("D10", CultureInfo.InvariantCulture)));
        Assert.Contains(expected, texts);
        Assert.Contains("no end", texts);
    }

    [Fact]
    public async Task Followed_while_its_files_are_replaced_no_line_is_lost_or_doubled()
    {
        var lines = Lines;
        await RunAsync($$"""
            awk 'BEGIN { for (i = 0; i < {{lines}}; i++) { printf "line %d xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n", i
              if (i % {{lines / 30}} == 0) { fflush(); system("busybox sleep 0.05") } } }'
            """);
        var followed = Numbers(await LinesAsync(new LogOptions(Follow: true)));
        Assert.Equal(Enumerable.Range(0, lines), followed);
        // What is kept is the end of it, and begins with a whole line.
        var kept = Numbers(await LinesAsync(new LogOptions()));
        Assert.InRange(kept.Count, 1, lines - 1);
        Assert.Equal(Enumerable.Range(lines - kept.Count, kept.Count), kept);
    }

    private static List<int> Numbers(IEnumerable<LogLine> lines) =>
    [
        .. lines.Where(l => l.Text.StartsWith("line ", StringComparison.Ordinal))
            .Select(l => int.Parse(l.Text.Split(' ')[1], CultureInfo.InvariantCulture)),
    ];

    /// <summary>Runs a shell script.</summary>
    protected async Task RunAsync(string script)
    {
        var component = ServiceFile.Parse($"""
            name = "{_name.Service}"
            [[components]]
            name = "web"
            runtime = "{(Runtime.Name == "podman" ? "container" : Runtime.Name)}"
            image = "{node.Image("shell")}"
            memory_mb = 128
            """, "log").Components[0] with { Cmd = ["-c", Applets + script] };
        await Runtime.PullAsync(component.Image, new ImageWish(), null, default);
        await Runtime.RunAsync(new InstanceSpec(_name, component, RevisionId.Of(component), new Dictionary<string, string>(), []), default);
    }

    private async Task<List<LogLine>> EndedAsync()
    {
        await NodeFixture.UntilAsync(
            async () => (await Runtime.InspectAsync(_name, default)) is { State: InstanceState.Exited or InstanceState.Failed },
            "it has ended");
        return await LinesAsync(new LogOptions());
    }

    protected async Task<List<LogLine>> LinesAsync(LogOptions options)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var lines = new List<LogLine>();
        await foreach (var line in Runtime.LogsAsync(_name, options, limit.Token))
            lines.Add(line);
        return lines;
    }
}
