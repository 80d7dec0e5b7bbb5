using System.Threading.Channels;
using Grpc.Core;
using Mcp.Daemon.Doors;
using Mcp.Protocol.V1;

namespace Mcp.Daemon.Operations;

/// <summary>
/// An operation's steps on their way to whoever watches. Of a client that is slow, progress is left out, never what became of a step; for
/// one that has gone nothing is kept. The operation never waits for it.
/// </summary>
public sealed class StepFeed
{
    private const int MostProgress = 256;
    private readonly Channel<StepEvent> _events = Channel.CreateUnbounded<StepEvent>();

    /// <summary>Texts are cut to 4 KiB.</summary>
    public void Add(StepEvent happened)
    {
        // What is no progress is bounded by the operation: it has so many steps.
        if (happened.Kind == StepEvent.Types.Kind.Progress && _events.Reader.Count >= MostProgress)
            return;
        (happened.Step, happened.Detail) = (Texts.Cut(happened.Step), Texts.Cut(happened.Detail));
        _events.Writer.TryWrite(happened);
    }

    /// <summary>The operation has ended.</summary>
    public void Complete() => _events.Writer.TryComplete();

    /// <summary>Until the operation has ended.</summary>
    /// <exception cref="OperationCanceledException">The client has gone.</exception>
    public async Task SendAsync(IServerStreamWriter<StepEvent> output, CancellationToken ct)
    {
        try
        {
            await foreach (var happened in _events.Reader.ReadAllAsync(ct))
                await output.WriteAsync(happened, ct);
        }
        finally
        {
            _events.Writer.TryComplete();
            while (_events.Reader.TryRead(out _))
            {
                // Nobody reads it any more.
            }
        }
    }
}
