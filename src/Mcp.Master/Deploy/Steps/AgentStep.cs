using Grpc.Core;
using Mcp.Daemon.Operations;
using Mcp.Master.Nodes;
using Mcp.Master.Store;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Protocol.Errors;
using Mcp.Protocol.Histories;
using Mcp.Protocol.V1;

namespace Mcp.Master.Deploy.Steps;

/// <summary>Has the node's agent deploy it, and writes down what it has accepted; the agent undoes by itself what fails there. Undone: has every agent that may have it remove it.</summary>
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
        _ = StoredDefinitions.ReadWhole(state.Subject, state.Definition);
        var agent = agents.Of(nodes.Get(state.At));
        await SendAsync(agent, state, progress, ct);
        var kept = await KeptAsync(agent, state, ct);
        store.Placements.Accept(StoredDefinitions.Read(state.Subject, kept).Definition, state.At, kept);
        return state with { Definition = kept };
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
        var service = state.Subject;
        var there = store.Placements.Find(service);
        var known = new[] { state.Node, state.From, there?.Target?.Text, there?.Node?.Text }.Concat(store.Leftovers.CopiesOf(service).Select(l => l.Node));
        var failed = new List<McpException>();
        foreach (var node in known.Where(n => n is { Length: > 0 }).Distinct().Select(n => Label.Parse(n!)))
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
    public Task LeaveAsync(Label node, Label service, TimeSpan limit, CancellationToken ct) => store.Placements.Find(service)?.Holds(node) == true
        ? throw new McpException(ErrorCode.NodeWanted, $"{service} is placed on {node} and is not removed there", "")
        : RemoveAsync(node, service, limit, ct);

    /// <summary>How long one removal that somebody waits for may take: its instances may take their time to end.</summary>
    public TimeSpan RemovalLimit(Label service) => Removal + (store.Placements.Find(service)?.TryRead()?.Definition.StopsWithin ?? TimeSpan.Zero);

    // A refusal: it is where it was before. Silence says nothing: the agent may go on, so the service stays bound to that node.
    private async Task SendAsync(Protocol.V1.Agent.AgentClient agent, FleetDeployment state, IProgress<string> progress, CancellationToken ct)
    {
        var number = store.NextRequest();
        var request = new DeployRequest
        {
            Definition = state.Definition,
            Component = state.Component,
            // A copy that was to be removed there is not what is wanted, even if it looks like it: its removal may be under way.
            IfChanged = state.IfChanged && !store.Leftovers.IsLeftAt(state.Subject, state.Node),
            Force = state.Force,
            Plan = state.Plan,
            Sequence = number.Sequence,
            Standing = number.Standing?.ToWire(),
        };
        try
        {
            var within = agents.Within(s_limit + state.Service.StopsWithin + RemovalLimit(state.Subject), ct);
            using var call = state.Plan.Length == 0 ? agent.Deploy(request, within) : agent.DeployPlanned(request, within);
            await foreach (var step in call.ResponseStream.ReadAllAsync(ct))
            {
                if (step.Kind is StepEvent.Types.Kind.Started or StepEvent.Types.Kind.Progress)
                    progress.Report($"{step.Step} {step.Detail}".TrimEnd());
            }
        }
        // An older one, which has begun nothing.
        catch (RpcException e) when (e.StatusCode == StatusCode.Unimplemented && state.Plan.Length > 0)
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
            var shown = (await agent.ShowServiceAsync(new ServiceRequest { Service = state.Subject.Text }, agents.Within(s_quick, ct))).Definition;
            var old = store.Leftovers.IsLeftAt(state.Subject, state.Node);
            var kept = old ? null : StoredDefinitions.TryRead(state.Subject, shown);
            if (kept is not null && (ServiceFileWriter.Write(kept.Definition) == ServiceFileWriter.Write(state.Service) || store.Placements.Find(state.Subject)?.Node == state.At))
                store.Placements.Accept(kept.Definition, state.At, shown);
            else
                store.Placements.Release(state.Subject, state.Half);
        }
        catch (RpcException e) when (ErrorTrailers.CodeOf(e) == ErrorCode.ServiceUnknown)
        {
            store.Placements.Release(state.Subject, half: false);
        }
        catch (RpcException) when (!ct.IsCancellationRequested)
        {
            // Silent now: bound to it, as whenever nobody knows.
        }
    }

    // What the agent keeps is the truth, also when only one component was deployed.
    private async Task<string> KeptAsync(Protocol.V1.Agent.AgentClient agent, FleetDeployment state, CancellationToken ct)
    {
        try
        {
            var shown = (await agent.ShowServiceAsync(new ServiceRequest { Service = state.Subject.Text }, agents.Within(s_quick, ct))).Definition;
            // An agent may be broken, or taken over: what it says must at least be this service.
            return StoredDefinitions.TryRead(state.Subject, shown) is not null
                ? shown
                : throw new McpException(ErrorCode.NodeAnswer, $"the agent answered with something that is not the definition of {state.Subject}", "look at the log of the agent there");
        }
        catch (RpcException e) when (!ct.IsCancellationRequested)
        {
            // It has accepted all that it was sent. Of one component it has made a whole that only it knows.
            if (state.Component.Length == 0)
                store.Placements.Accept(state.Service, state.At, ServiceFileWriter.Write(state.Service));
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
