using Mcp.Agent.Deploy;
using Mcp.Agent.Registry;
using Mcp.Daemon.Lifecycle;
using Mcp.Model.Errors;
using Mcp.Model.Instances;
using Mcp.Model.Names;

namespace Mcp.Agent.Logs;

/// <summary>Removes the logs of instances that are gone, when their time has come: see <see cref="FormerLogs"/>. A log lies in its place
/// from its first line on and is never copied, so nothing that happens between two steps loses or doubles a line.</summary>
internal sealed class LogKeeper(ComponentsTable components, RuntimeSet runtimes, TimeProvider time)
{
    private static readonly TimeSpan s_look = TimeSpan.FromSeconds(30);

    /// <summary>Until cancelled.</summary>
    public Task RunAsync(CancellationToken ct) => Supervise.EachAsync(s_look, LookAsync, time, ct);

    public async Task LookAsync(CancellationToken ct)
    {
        // Before asking what is there: what comes meanwhile is not among them.
        var logged = runtimes.All.SelectMany(r => r.Logged().Select(l => (Runtime: r, Log: l))).ToList();
        var there = new HashSet<InstanceName>(components.List().Select(c => c.Instance));
        try
        {
            there.UnionWith((await runtimes.ListAsync(ct)).Select(i => i.Name));
        }
        catch (McpException)
        {
            // A runtime does not say what it has.
            return;
        }

        var having = there.Select(i => (i.Service, i.Component)).ToHashSet();
        var now = time.GetUtcNow();
        // Its last line may be of last year: the day begins when its component goes.
        var written = logged.Select(l =>
        {
            var isGone = !having.Contains((l.Log.Name.Service, l.Log.Name.Component));
            return (l.Log.Name, Written: l.Runtime.MarkLog(l.Log.Name, isGone) ? now : l.Log.Written, l.Log.Bytes);
        }).ToList();
        var gone = FormerLogs.Gone(written.Distinct(), there, now).ToHashSet();
        foreach (var (runtime, log) in logged.Where(l => gone.Contains(l.Log.Name)))
            runtime.ForgetLog(log.Name);
    }
}
