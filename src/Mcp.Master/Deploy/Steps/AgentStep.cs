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
public sealed class AgentStep(NodeDirectory nodes, AgentPool agents, MasterStore store) : IStep<FleetDeployment>
{
    public const string StepName = "deploy";

    /// <summary>Of one removal, where nothing is known of what is removed.</summary>
    public static readonly TimeSpan Removal = TimeSpan.FromMinutes(10);

    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(30);
    private static readonly TimeSpan s_quick = TimeSpan.FromSeconds(10);

    public string Name => StepName;

    public async Task<FleetDeployment> RunAsync(FleetDeployment state, IProgress<string> progress, CancellationToken ct)
    {
        var wanted = (state.Revision ?? throw Revision.Unreadable(state.Name)).ReadWhole(state.Name);
        var agent = agents.Of(nodes.Get(state.At));
        var finished = await SendAsync(agent, state, wanted, progress, ct);
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
        IProgress<string> progress,
        CancellationToken ct)
    {
        var finished = new StepEvent();
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
            Plan = state.Plan ?? "",
            Sequence = number.Sequence,
            Standing = number.Standing?.ToWire(),
        };
        try
        {
            var within = agents.Within(s_limit + wanted.StopsWithin + RemovalLimit(state.Name), ct);
            using var call = state.Plan is null ? agent.Deploy(request, within) : agent.DeployPlanned(request, within);
            await foreach (var step in call.ResponseStream.ReadAllAsync(ct))
            {
                if (step.Kind is StepEvent.Types.Kind.Started or StepEvent.Types.Kind.Progress)
                    progress.Report($"{step.Step} {step.Detail}".TrimEnd());
                if (step.Kind == StepEvent.Types.Kind.Finished)
                    finished = step;
            }

            return finished;
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
}
