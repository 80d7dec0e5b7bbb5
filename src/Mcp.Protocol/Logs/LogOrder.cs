using System.Runtime.CompilerServices;
using Mcp.Protocol.V1;

namespace Mcp.Protocol.Logs;

/// <summary>Logs that are each in order, as one in order of time. Pieces of a long line stay together.</summary>
public static class LogOrder
{
    public static async IAsyncEnumerable<LogLine> MergeAsync(
        IReadOnlyList<IAsyncEnumerable<LogLine>> logs,
        [EnumeratorCancellation] CancellationToken ct)
    {
        var heads = logs.Select(l => l.GetAsyncEnumerator(ct)).ToList();
        try
        {
            // All at once: each may be far away, and none is left while it is on its way.
            var begun = await Task.WhenAll(heads.Select(async h => (Head: h, HasLine: await h.MoveNextAsync())));
            foreach (var (head, _) in begun.Where(b => !b.HasLine))
                await DropAsync(heads, head);

            while (heads.Count > 0)
            {
                var first = heads.MinBy(h => h.Current.Time.ToDateTimeOffset())!;
                bool hasMore, goesOn;
                do
                {
                    goesOn = first.Current.Continues;
                    yield return first.Current;
                    hasMore = await first.MoveNextAsync();
                }
                while (hasMore && goesOn);
                if (!hasMore)
                    await DropAsync(heads, first);
            }
        }
        finally
        {
            foreach (var head in heads)
                await head.DisposeAsync();
        }
    }

    private static async Task DropAsync(List<IAsyncEnumerator<LogLine>> heads, IAsyncEnumerator<LogLine> done)
    {
        heads.Remove(done);
        await done.DisposeAsync();
    }
}
