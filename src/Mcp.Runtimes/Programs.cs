using System.ComponentModel;
using System.Diagnostics;
using System.Text;
using Mcp.Machine;
using Mcp.Model.Errors;

namespace Mcp.Runtimes;

/// <summary>Runs other programs to their end: argument lists, a time limit, and their words in the error.</summary>
public static class Programs
{
    private const int LastCharacters = 2000;

    /// <summary>The program's full path; null: not on the PATH, nor where administrators' programs are.</summary>
    public static string? Find(string program) => program.Contains('/', StringComparison.Ordinal)
        ? File.Exists(program) ? Path.GetFullPath(program) : null
        : ((string[])[.. (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':'), "/usr/sbin", "/sbin"])
            .Where(d => d.Length > 0)
            .Select(d => Path.Combine(d, program))
            .FirstOrDefault(File.Exists);

    public static ProcessStartInfo Start(string program, IEnumerable<string> arguments, string? directory = null)
    {
        var start = new ProcessStartInfo(program)
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = directory ?? "",
        };
        foreach (var argument in arguments)
            start.ArgumentList.Add(argument);
        return start;
    }

    /// <returns>Exit code and the last of what it printed, both streams.</returns>
    /// <exception cref="McpException">program.missing, program.hangs</exception>
    public static async Task<(int ExitCode, string Output)> RunAsync(ProcessStartInfo start, TimeSpan limit, CancellationToken ct)
    {
        using var process = new Process { StartInfo = start };
        var output = new StringBuilder();
        void Keep(object _, DataReceivedEventArgs line)
        {
            lock (output)
                output.AppendLine(line.Data);
        }

        process.OutputDataReceived += Keep;
        process.ErrorDataReceived += Keep;
        try
        {
            process.Start();
        }
        catch (Win32Exception e)
        {
            throw Find(start.FileName) is null
                ? new McpException(ErrorCode.ProgramMissing, $"there is no program {start.FileName}", "", e)
                : new McpException(
                    ErrorCode.ProgramMissing,
                    $"{start.FileName} cannot be started: {new Win32Exception(e.NativeErrorCode).Message}",
                    "",
                    e);
        }

        process.StandardInput.Close();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        using var over = new Within(limit, ct);
        try
        {
            await process.WaitForExitAsync(over.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            ct.ThrowIfCancellationRequested();
            throw new McpException(
                ErrorCode.ProgramHangs,
                $"{Path.GetFileName(start.FileName)} did not end within {limit.TotalSeconds:0} s{Said(output)}");
        }

        return (process.ExitCode, Tail(output));
    }

    private static string Said(StringBuilder output) => Tail(output) is { Length: > 0 } text ? $"; it said: {text}" : "";

    private static string Tail(StringBuilder output)
    {
        lock (output)
        {
            var text = output.ToString().Trim();
            return text.Length <= LastCharacters ? text : $"...{text[^LastCharacters..]}";
        }
    }
}
