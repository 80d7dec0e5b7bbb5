using Mcp.Agent;

namespace Mcp.UnitTests.Agent;

public sealed class DetachedLogsTests : IDisposable
{
    private readonly string _log = Path.Combine(Directory.CreateTempSubdirectory("mcp-log").FullName, "proxy.log");

    public void Dispose() => Directory.Delete(Path.GetDirectoryName(_log)!, recursive: true);

    [Fact]
    public async Task What_a_program_goes_on_writing_is_cut_at_10_MiB_and_its_last_MiB_is_kept()
    {
        var logs = new DetachedLogs([_log, _log + ".missing"], TimeProvider.System);
        // As the program has it: written at the end, wherever that is.
        using var program = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo(
            "bash", ["-c", "exec >> \"$1\"; head -c 10485760 /dev/zero | tr '\\0' x; read -r; echo more; read -r", "bash", _log])
        { RedirectStandardInput = true })!;
        while (!File.Exists(_log) || new FileInfo(_log).Length < 10_485_760)
            await Task.Delay(10);
        await logs.RoundAsync(default);
        Assert.False(File.Exists(_log + ".1"));
        await program.StandardInput.WriteLineAsync();
        while (new FileInfo(_log).Length < 10_485_765)
            await Task.Delay(10);
        await logs.RoundAsync(default);
        Assert.Equal(0, new FileInfo(_log).Length);
        Assert.Equal(new string('x', (1024 * 1024) - 5) + "more\n", await File.ReadAllTextAsync(_log + ".1"));
        await program.StandardInput.WriteLineAsync();
        await program.WaitForExitAsync();
        Assert.Equal(0, new FileInfo(_log).Length);
    }
}
