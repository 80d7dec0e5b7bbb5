using Mcp.Master.Deploy.Steps;
using Mcp.Master.Edge;
using Mcp.Master.Store;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Model.Revisions;

namespace Mcp.Master.Deploy;

/// <summary>The copies of services on nodes where they are not to be any more. One is removed only after the service's names lead elsewhere
/// and clients have had the time to learn it, and never where the service is or is going. The caller holds the service's lock.</summary>
/// <param name="settle">How long clients may go on to the old place after the names have moved.</param>
public sealed class OldCopies(AgentStep agents, DnsStep dns, IEdge edge, MasterStore store, TimeSpan settle, TimeProvider time)
{
    /// <summary>Right after the names have moved: waits, then removes all copies of the service that were waiting for it.</summary>
    /// <returns>What could not be removed yet; it is tried again.</returns>
    public async Task<IReadOnlyList<string>> LeaveAsync(Label service, IProgress<string> progress, CancellationToken ct)
    {
        var waiting = store.Leftovers.CopiesOf(service).FindAll(l => l.Step == LeaveStep.StepName);
        if (waiting.Count == 0)
            return [];
        progress.Report($"{string.Join(", ", waiting.Select(l => l.Node))} in {settle.TotalSeconds:0.#} s");
        await Task.Delay(settle, time, ct);
        var failed = new List<string>();
        foreach (var copy in waiting)
        {
            store.Leftovers.MayLeave(copy);
            if (await TryRemoveAsync(service, Label.Parse(copy.Node), agents.RemovalLimit(service), ct) is { } trouble)
                failed.Add(trouble);
        }

        return failed;
    }

    /// <summary>Tries once to remove a copy, names first.</summary>
    /// <param name="limit">How long its agent is waited for.</param>
    /// <returns>Null: it is gone.</returns>
    public async Task<string?> TryAgainAsync(Leftover copy, TimeSpan limit, CancellationToken ct)
    {
        var (service, node) = (Label.Parse(copy.Service), Label.Parse(copy.Node));
        // It is wanted there, or on its way there: its deploy knows better.
        var there = store.Placements.Find(service);
        if (there?.Holds(node) == true)
            return "the service is placed there";
        if (copy.Step == LeaveStep.StepName)
        {
            if (there is not null && await NamesElsewhereAsync(there, ct) is { } trouble)
                return Keep(copy, trouble);
            if (there is not null)
                await Task.Delay(settle, time, ct);
            store.Leftovers.MayLeave(copy);
        }

        return await TryRemoveAsync(service, node, limit, ct);
    }

    // Null: everybody who asks for the service is led to where it is.
    private async Task<string?> NamesElsewhereAsync(Placement there, CancellationToken ct)
    {
        if (there.Node is not { } node || there.TryRead() is not { } stored)
            return there.Node is null ? "the service is nowhere else yet" : Revision.Unreadable(there.Service).Message;
        try
        {
            await dns.NameAsync(stored, node, ct);
            return await edge.StillElsewhereAsync(there.Service, node, ct);
        }
        catch (Exception e) when (!ct.IsCancellationRequested)
        {
            return $"its names have not moved: {e.Message}";
        }
    }

    private async Task<string?> TryRemoveAsync(Label service, Label node, TimeSpan limit, CancellationToken ct)
    {
        try
        {
            await agents.LeaveAsync(node, service, limit, ct);
            store.Leftovers.RemoveCopies(service, node);
            return null;
        }
        catch (McpException e)
        {
            return Keep(Leftover.Copy(AgentStep.StepName, service, node, e.Message), e.Message);
        }
    }

    private string Keep(Leftover copy, string trouble)
    {
        store.Leftovers.Add(copy with { Error = trouble });
        return trouble;
    }
}
