using System.Globalization;
using Mcp.Protocol.V1;
using Spectre.Console;

namespace Mcp.Cli.Output;

/// <summary>An operation's steps as they happen: finished ones as lines; on a terminal, below them, what is going on right now.</summary>
internal static class LiveSteps
{
    public static async Task ShowAsync(IAsyncEnumerable<StepEvent> steps, string finished, Printer printer)
    {
        if (printer.Json)
        {
            await foreach (var step in steps)
                Printer.Message(step);
        }
        else if (Console.IsOutputRedirected)
        {
            await WriteAsync(steps, finished, Console.Out.WriteLine, _ => { });
        }
        else
        {
            await AnsiConsole.Status().Spinner(Spinner.Known.Dots).StartAsync("...",
                status => WriteAsync(steps, finished, AnsiConsole.WriteLine, doing => status.Status(Markup.Escape(doing))));
        }
    }

    private static async Task WriteAsync(IAsyncEnumerable<StepEvent> steps, string finished, Action<string> write, Action<string> now)
    {
        await foreach (var step in steps)
        {
            if (step.Kind is StepEvent.Types.Kind.Started or StepEvent.Types.Kind.Progress)
                now(Visible.Text($"{step.Step} {step.Detail}"));
            else if (Line(step, finished) is { } line)
                write(Visible.Text(line));
        }
    }

    private static string? Line(StepEvent step, string finished) => step.Kind switch
    {
        StepEvent.Types.Kind.Done =>
            string.Create(CultureInfo.InvariantCulture, $"  ok      {step.Step,-8} {step.DurationMs,6} ms  {step.Detail}").TrimEnd(),
        StepEvent.Types.Kind.Failed => string.Create(CultureInfo.InvariantCulture, $"  failed  {step.Step,-8} {step.DurationMs,6} ms"),
        StepEvent.Types.Kind.Undone => $"  undone  {step.Step}",
        StepEvent.Types.Kind.Finished => string.Create(CultureInfo.InvariantCulture, $"{finished} in {step.DurationMs} ms"),
        _ => null,
    };
}
