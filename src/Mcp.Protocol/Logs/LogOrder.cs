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
        var heads = new List<IAsyncEnumerator<LogLine>>();
        try
        {
            foreach (var log in logs)
            {
                var head = log.GetAsyncEnumerator(ct);
                heads.Add(head);
                if (!await head.MoveNextAsync())
                    await DropAsync(heads, head);
            }

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
