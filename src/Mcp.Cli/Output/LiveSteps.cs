using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Mcp.Protocol.V1;
using Spectre.Console;

namespace Mcp.Cli.Output;

/// <summary>An operation's steps as they happen: finished ones as lines; what is going on right now, on a terminal below them, else as a
/// line every 10 s.</summary>
/// <param name="service">Whose; null: steps are services.</param>
/// <param name="mayLeave">It is not followed to its end where nobody reads any more.</param>
internal sealed class LiveSteps(Printer printer, string? service = null, bool mayLeave = true)
{
    private static readonly TimeSpan s_still = TimeSpan.FromSeconds(10);
    private readonly Stopwatch _sinceLine = Stopwatch.StartNew();
    private readonly Stopwatch _step = Stopwatch.StartNew();
    private string _name = "";
    private string _detail = "";

    /// <summary>Something has come.</summary>
    public bool HasAnswered { get; private set; }

    /// <summary>It does more than wait for another change.</summary>
    public bool HasBegun { get; private set; }

    /// <summary>It serves, and goes on without being followed.</summary>
    public bool HasLeft { get; private set; }

    /// <param name="finished">The last line, before how long it took.</param>
    /// <param name="detach">Only until it serves.</param>
    public async Task ShowAsync(IAsyncEnumerable<StepEvent> steps, string finished, bool detach = false)
    {
        var wanted = UntilAsync(steps, detach);
        if (printer.Json)
        {
            await foreach (var step in wanted)
                Printer.Object(Object(step));
        }
        else if (Console.IsOutputRedirected)
        {
            await WriteAsync(wanted, finished, Console.Out.WriteLine, now: null);
        }
        else
        {
            await Terminal.Console.Status().Spinner(Spinner.Known.Dots).StartAsync("...",
                status => WriteAsync(wanted, finished, Terminal.Console.WriteLine, doing => status.Status(Markup.Escape(doing))));
        }
    }

    private JsonObject Object(StepEvent step)
    {
        var json = new JsonObject { ["service"] = service ?? step.Step };
        foreach (var (name, value) in Json.Of(step))
            json[name] = value?.DeepClone();
        return json;
    }

    private async IAsyncEnumerable<StepEvent> UntilAsync(IAsyncEnumerable<StepEvent> steps, bool detach)
    {
        using var unread = new CancellationTokenSource();
        await using var gone = Interrupt.ReaderGone.Register(() => Leave(unread));
        await foreach (var step in steps.WithCancellation(unread.Token))
        {
            HasAnswered = true;
            HasBegun |= step.Step != "wait";
            if (Interrupt.ReaderGone.IsCancellationRequested)
                Leave(unread);
            yield return step;
            HasLeft = detach && step.Kind == StepEvent.Types.Kind.Serving;
            if (HasLeft)
                yield break;
        }
    }

    // Only what the node goes on with by itself.
    private void Leave(CancellationTokenSource unread)
    {
        if (HasBegun && mayLeave)
            unread.Cancel();
    }

    // Null: there is no place for what is going on, so it is a line now and then.
    private async Task WriteAsync(IAsyncEnumerable<StepEvent> steps, string finished, Action<string> write, Action<string>? now)
    {
        await using var all = steps.GetAsyncEnumerator();
        var next = all.MoveNextAsync().AsTask();
        while (await HasNextAsync(next, write, now is null))
        {
            Tell(all.Current, finished, write, now);
            next = all.MoveNextAsync().AsTask();
        }
    }

    private async Task<bool> HasNextAsync(Task<bool> next, Action<string> write, bool isStill)
    {
        while (isStill && !next.IsCompleted)
        {
            var rest = s_still - _sinceLine.Elapsed;
            if (rest <= TimeSpan.Zero)
                Line(write, Doing());
            else
                await Task.WhenAny(next, Task.Delay(rest));
        }

        return await next;
    }

    private void Tell(StepEvent step, string finished, Action<string> write, Action<string>? now)
    {
        if (step.Kind == StepEvent.Types.Kind.Started)
            _step.Restart();
        if (step.Kind is StepEvent.Types.Kind.Started or StepEvent.Types.Kind.Progress)
        {
            (_name, _detail) = (step.Step, step.Detail);
            now?.Invoke(Visible.Text($"{step.Step} {step.Detail}"));
            if (now is null && _sinceLine.Elapsed >= s_still)
                Line(write, Doing());
        }
        else if (Ended(step, finished) is { } line)
        {
            Line(write, line);
            // What it was about is over; what was done before it is taken back now, which takes its time.
            if (step.Kind != StepEvent.Types.Kind.Failed)
                return;
            (_name, _detail) = ("undo", "");
            _step.Restart();
            now?.Invoke(_name);
        }
    }

    private void Line(Action<string> write, string line)
    {
        write(Visible.Text(line));
        _sinceLine.Restart();
    }

    private string Doing() => string.Create(
        CultureInfo.InvariantCulture,
        $"  ...     {_name,-8} {_step.ElapsedMilliseconds,6} ms  {_detail}").TrimEnd();

    private static string? Ended(StepEvent step, string finished) => step.Kind switch
    {
        StepEvent.Types.Kind.Done =>
            string.Create(CultureInfo.InvariantCulture, $"  ok      {step.Step,-8} {step.DurationMs,6} ms  {step.Detail}").TrimEnd(),
        StepEvent.Types.Kind.Failed => string.Create(CultureInfo.InvariantCulture, $"  failed  {step.Step,-8} {step.DurationMs,6} ms"),
        StepEvent.Types.Kind.Undone => $"  undone  {step.Step}",
        StepEvent.Types.Kind.Finished => string.Create(CultureInfo.InvariantCulture, $"{finished} in {step.DurationMs} ms"),
        _ => null,
    };
}
