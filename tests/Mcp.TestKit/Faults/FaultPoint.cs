using Grpc.Core;
using Mcp.Model.Errors;

namespace Mcp.TestKit.Faults;

/// <summary>The one side effect at which an operation is broken.</summary>
/// <param name="number">From 1.</param>
public sealed class FaultPoint(Fault fault, int number)
{
    private readonly TaskCompletionSource _killed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _calls;
    private string? _what;

    public int Number => number;

    public bool WasReached => _what is not null;

    public bool WasUsed { get; private set; }

    /// <summary>What the operation that was broken said; null: it ended well all the same, or was killed.</summary>
    public Exception? Failure { get; private set; }

    /// <summary>To be called at every side effect, before it and after it.</summary>
    public Task Hook(string what)
    {
        var call = Interlocked.Increment(ref _calls);
        if (call < number || (fault == Fault.Fail && call > number))
            return Task.CompletedTask;
        Interlocked.CompareExchange(ref _what, what, null);
        switch (fault)
        {
            case Fault.Kill:
                _killed.TrySetResult();
                return new TaskCompletionSource().Task;
            case Fault.Fail:
                throw new McpException(ErrorCode.Of("test"), $"broken at {what}");
            default:
                throw new RpcException(new Status(StatusCode.Unavailable, $"cut at {what}"));
        }
    }

    /// <summary>Runs the operation as far as it comes. One that is not broken has to end well.</summary>
    /// <returns>False: it has fewer side effects, and ended.</returns>
    public async Task<bool> BreaksAsync(Func<Task> operation)
    {
        WasUsed = true;
        var running = operation();
        if (await Task.WhenAny(running, _killed.Task) == running)
        {
            Failure = await Record.ExceptionAsync(() => running);
            if (Failure is not null && !WasReached)
                throw Failure;
        }

        return WasReached;
    }

    public override string ToString() => $"{fault} at side effect {number}{(_what is null ? "" : $" ({_what})")}";
}
