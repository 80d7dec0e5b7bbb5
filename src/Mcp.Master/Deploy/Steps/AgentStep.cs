using System.Diagnostics;
using Grpc.Core;
using Mcp.Daemon.Operations;
using Mcp.Daemon.Revisions;
using Mcp.Master.Nodes;
using Mcp.Master.Store;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Model.Revisions;
using Mcp.Protocol.Errors;
using Mcp.Protocol.Histories;
using Mcp.Protocol.Revisions;
using Mcp.Protocol.V1;

namespace Mcp.Master.Deploy.Steps;

/// <summary>Has the node's agent deploy it, and writes down what it has accepted; the agent undoes by itself what fails there. Undone: has
/// every agent that may have it remove it.</summary>
/// <param name="ways">Led to the new place as soon as it serves.</param>
public sealed class AgentStep(NodeDirectory nodes, AgentPool agents, MasterStore store, WaysIn ways) : IStep<FleetDeployment>
{
    public const string StepName = "deploy";

    /// <summary>Of one removal, where nothing is known of what is removed.</summary>
    public static readonly TimeSpan Removal = TimeSpan.FromMinutes(10);

    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(30);
    private static readonly TimeSpan s_quick = TimeSpan.FromSeconds(10);

    // Until an agent that went away in the middle is back: it goes on by itself.
    private static readonly TimeSpan s_back = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_again = TimeSpan.FromSeconds(1);

    public string Name => StepName;

    public OnCancel OnCancel => OnCancel.Told;

    public async Task<FleetDeployment> RunAsync(FleetDeployment state, IProgress<string> progress, CancellationToken ct)
    {
        var wanted = (state.Revision ?? throw Revision.Unreadable(state.Name)).ReadWhole(state.Name);
        var agent = agents.Of(nodes.Get(state.At));
        var heard = new Heard(progress, () => state.Component is null ? ways.OpenAsync(wanted, state.At, ct) : Task.CompletedTask);
        StepEvent finished;
        try
        {
            finished = await SendAsync(agent, state, wanted, heard, ct);
        }
        catch (McpException) when (heard.Opening is not null)
        {
            await heard.Opening;
            await ways.BackAsync(state, ct);
            throw;
        }

        await (heard.Opening ?? Task.CompletedTask);
        // An older agent does not say what it keeps.
        var kept = RevisionMapping.Read(finished.Revision) ?? await ShowAsync(agent, state, wanted, ct);
        // An agent may be broken, or taken over: what it says must at least be this service.
        var service = kept.TryRead(state.Name) ?? throw new McpException(
            ErrorCode.NodeAnswer,
            $"the agent answered with something that is not the definition of {state.Name}",
            "look at the log of the agent there");
        store.Placements.Accept(service, state.At, kept);
        var release = Numbered(state, finished.Release);
        return state with
        {
            Revision = kept,
            Release = release,
            Unchanged = finished.Unchanged && !state.IfChanged,
        };
    }

    /// <summary>It cannot promise to do one plan and nothing else.</summary>
    public static McpException PlanUnsupported(Label node, Exception? cause = null) => new(
        ErrorCode.PlanUnsupported,
        $"the agent of node {node} is too old for --plan; nothing was done",
        "install the newer mcp-agent there, or deploy without --plan",
        cause);

    /// <summary>On every node that may have it. What fails is kept in mind, node by node, and told.</summary>
    public async Task UndoAsync(FleetDeployment state, CancellationToken ct)
    {
        var service = state.Name;
        var there = store.Placements.Find(service);
        var known = new[] { state.Node, state.From, there?.Target, there?.Node }
            .Concat(store.Leftovers.CopiesOf(service).Select(l => Label.Parse(l.Node)));
        var failed = new List<McpException>();
        foreach (var node in known.OfType<Label>().Distinct())
        {
            try
            {
                await RemoveAsync(node, service, RemovalLimit(service), ct);
                store.Leftovers.RemoveCopies(service, node);
            }
            catch (McpException e)
            {
                store.Leftovers.Add(Leftover.Copy(StepName, service, node, e.Message));
                failed.Add(e);
            }
        }

        if (failed.Count > 0)
            throw new McpException(failed[0].Code, string.Join("; ", failed.Select(f => f.Message)), failed[0].Hint, failed[0]);
    }

    public string Sum(FleetDeployment state) => $"on {state.Node}";

    /// <summary>Removes it where it is not to be. Safe to repeat. The caller holds the service's lock.</summary>
    /// <param name="limit">How long its agent is waited for; it goes on after that.</param>
    /// <exception cref="McpException">node.wanted: it is placed on that node, or going there. node.*</exception>
    public Task LeaveAsync(
        Label node,
        Label service,
        TimeSpan limit,
        CancellationToken ct) => store.Placements.Find(service)?.Holds(node) == true
        ? throw new McpException(ErrorCode.NodeWanted, $"{service} is placed on {node} and is not removed there", "")
        : RemoveAsync(node, service, limit, ct);

    /// <summary>How long one removal that somebody waits for may take: its instances may take their time to end.</summary>
    public TimeSpan RemovalLimit(Label service) => Removal + (store.Placements.Find(service)?.TryRead()?.StopsWithin ?? TimeSpan.Zero);

    // The node may have had releases of which the master knows nothing: deployed with --direct, or the master's database was lost.
    private long Numbered(FleetDeployment state, long there)
    {
        var isLater = state.Release > 0 && there > state.Release && there <= state.Release + ReleasesTable.Kept;
        if (!isLater)
            return state.Release;
        store.Releases.Renumber(state.Name, state.Release, there);
        return there;
    }

    // A refusal: it is where it was before. Silence says nothing: the agent may go on, so the service stays bound to that node.
    private async Task<StepEvent> SendAsync(
        Protocol.V1.Agent.AgentClient agent,
        FleetDeployment state,
        ServiceDefinition wanted,
        Heard heard,
        CancellationToken ct)
    {
        var number = store.NextRequest();
        var request = new DeployRequest
        {
            // For an older agent.
            Definition = ServiceFileWriter.Write(wanted),
            Revision = state.Revision!.ToWire(),
            By = state.By ?? "",
            Release = state.Release,
            Component = state.Component?.Text ?? "",
            // A copy that was to be removed there is not what is wanted, even if it looks like it: its removal may be under way.
            IfChanged = state.IfChanged && !store.Leftovers.IsLeftAt(state.Name, state.At.Text),
            Force = state.Force,
            Pull = { state.Pull ?? [] },
            Plan = state.Plan ?? "",
            Sequence = number.Sequence,
            Standing = number.Standing?.ToWire(),
        };
        try
        {
            var within = agents.Within(s_limit + wanted.StopsWithin + RemovalLimit(state.Name), ct);
            using var call = state.Plan is null ? agent.Deploy(request, within) : agent.DeployPlanned(request, within);
            return await heard.ReadAsync(call.ResponseStream, ct);
        }
        // It has begun there, and goes on without us.
        catch (RpcException e) when (heard.HasBegun && IsGone(e) && !ct.IsCancellationRequested)
        {
            return await AgainAsync(agent, state, heard, e, ct);
        }
        // An older one, which has begun nothing.
        catch (RpcException e) when (e.StatusCode == StatusCode.Unimplemented && state.Plan is not null)
        {
            await RefusedAsync(agent, state, ct);
            throw PlanUnsupported(state.At, e);
        }
        catch (RpcException e) when (!ct.IsCancellationRequested)
        {
            // What our own agents answer has a code, whatever its status. Without one it is what no answer of theirs is.
            if (ErrorTrailers.CodeOf(e) is not null)
                await RefusedAsync(agent, state, ct);
            throw AgentPool.Explain(state.At, e);
        }
    }

    private static bool IsGone(RpcException e) => ErrorTrailers.CodeOf(e) is { } code
        ? code == ErrorCode.AgentStopping
        : e.StatusCode is StatusCode.Unavailable or StatusCode.Cancelled || e.Status.DebugException is HttpRequestException or IOException;

    // The agent was ended in the middle, or the way to it is cut: what it has come to is heard when it is there again.
    private async Task<StepEvent> AgainAsync(
        Protocol.V1.Agent.AgentClient agent,
        FleetDeployment state,
        Heard heard,
        RpcException gone,
        CancellationToken ct)
    {
        for (var clock = Stopwatch.StartNew(); clock.Elapsed < s_back;)
        {
            await Task.Delay(s_again, ct);
            heard.Progress.Report("waiting for the agent to come back");
            try
            {
                using var call = agent.Attach(new ServiceRequest { Service = state.Name.Text }, agents.Within(s_limit, ct));
                return await heard.ReadAsync(call.ResponseStream, ct);
            }
            catch (RpcException e) when (ErrorTrailers.CodeOf(e) == ErrorCode.OperationNone)
            {
                // It has ended. What it is now is all that counts.
                if (await HasTakenEffectAsync(agent, state, ct))
                    return new StepEvent();
                await RefusedAsync(agent, state, ct);
                throw AgentPool.Explain(state.At, gone);
            }
            catch (RpcException e) when (ErrorTrailers.CodeOf(e) is not null && !IsGone(e))
            {
                await RefusedAsync(agent, state, ct);
                throw AgentPool.Explain(state.At, e);
            }
            catch (RpcException) when (!ct.IsCancellationRequested)
            {
                // Not there yet.
            }
        }

        throw AgentPool.Explain(state.At, gone);
    }

    private async Task<bool> HasTakenEffectAsync(Protocol.V1.Agent.AgentClient agent, FleetDeployment state, CancellationToken ct)
    {
        var kept = RevisionMapping.Read(await agent.ShowServiceAsync(
            new ServiceRequest { Service = state.Name.Text },
            agents.Within(s_quick, ct)));
        if (state.Component is not { } only)
            return kept.IsSame(state.Revision!);
        var (now, wanted) = (Of(kept), Of(state.Revision!));
        return now is not null && wanted is not null && RevisionCodec.Write(now.AsAsked) == RevisionCodec.Write(wanted.AsAsked);

        ComponentDefinition? Of(Revision revision) => revision.TryRead(state.Name)?.Components.FirstOrDefault(c => c.Name == only);
    }

    // What fails last of all may fail behind the deploy: a refusal counts only when the agent has not what it refused.
    private async Task RefusedAsync(Protocol.V1.Agent.AgentClient agent, FleetDeployment state, CancellationToken ct)
    {
        try
        {
            var kept = RevisionMapping.Read(await agent.ShowServiceAsync(
                new ServiceRequest { Service = state.Name.Text },
                agents.Within(s_quick, ct)));
            var service = store.Leftovers.IsLeftAt(state.Name, state.At.Text) ? null : kept.TryRead(state.Name);
            if (service is not null && (kept.IsSame(state.Revision!) || store.Placements.Find(state.Name)?.Node == state.At))
                store.Placements.Accept(service, state.At, kept);
            else
                store.Placements.Release(state.Name, state.Half);
        }
        catch (RpcException e) when (ErrorTrailers.CodeOf(e) == ErrorCode.ServiceUnknown)
        {
            store.Placements.Release(state.Name, half: false);
        }
        catch (RpcException) when (!ct.IsCancellationRequested)
        {
            // Silent now: bound to it, as whenever nobody knows.
        }
    }

    // What the agent keeps is the truth, also when only one component was deployed.
    private async Task<Revision> ShowAsync(
        Protocol.V1.Agent.AgentClient agent,
        FleetDeployment state,
        ServiceDefinition wanted,
        CancellationToken ct)
    {
        try
        {
            return RevisionMapping.Read(await agent.ShowServiceAsync(
                new ServiceRequest { Service = state.Name.Text },
                agents.Within(s_quick, ct)));
        }
        catch (RpcException e) when (!ct.IsCancellationRequested)
        {
            // It has accepted all that it was sent. Of one component it has made a whole that only it knows.
            if (state.Component is null)
                store.Placements.Accept(wanted, state.At, state.Revision!);
            throw AgentPool.Explain(state.At, e);
        }
    }

    // Safe to repeat: a node that was removed, or knows no such service, has nothing to remove.
    private async Task RemoveAsync(Label name, Label service, TimeSpan limit, CancellationToken ct)
    {
        if (store.Nodes.Find(name) is not { Key.Length: > 0 } node)
            return;
        try
        {
            var number = store.NextRequest();
            var request = new ServiceRequest { Service = service.Text, Sequence = number.Sequence, Standing = number.Standing?.ToWire() };
            await agents.Of(node).UndeployAsync(request, agents.Within(limit, ct));
        }
        catch (RpcException e) when (ErrorTrailers.CodeOf(e) == ErrorCode.ServiceUnknown)
        {
            // Nothing there.
        }
        catch (RpcException e) when (!ct.IsCancellationRequested)
        {
            throw AgentPool.Explain(name, e);
        }
    }

    // What an agent says of a deploy.
    private sealed class Heard(IProgress<string> progress, Func<Task> serves)
    {
        public IProgress<string> Progress => progress;

        /// <summary>It has answered once.</summary>
        public bool HasBegun { get; private set; }

        /// <summary>Null: it does not serve yet.</summary>
        public Task? Opening { get; private set; }

        public async Task<StepEvent> ReadAsync(IAsyncStreamReader<StepEvent> steps, CancellationToken ct)
        {
            var finished = new StepEvent();
            await foreach (var step in steps.ReadAllAsync(ct))
            {
                HasBegun = true;
                if (step.Kind is StepEvent.Types.Kind.Started or StepEvent.Types.Kind.Progress)
                    progress.Report($"{step.Step} {step.Detail}".TrimEnd());
                if (step.Kind == StepEvent.Types.Kind.Serving)
                    Opening ??= OpenAsync();
                if (step.Kind == StepEvent.Types.Kind.Finished)
                    finished = step;
            }

            return finished;
        }

        private async Task OpenAsync()
        {
            await serves();
            (progress as IServing)?.Serves();
        }
    }
}
