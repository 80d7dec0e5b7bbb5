using Grpc.Core;
using Mcp.Daemon.Operations;
using Mcp.Master.Nodes;
using Mcp.Master.Store;
using Mcp.Model;
using Mcp.Model.Definition;
using Mcp.Model.Names;
using Mcp.Protocol.V1;

namespace Mcp.Master.Deploy.Steps;

/// <summary>Has the node's agent deploy it; the agent undoes by itself what fails there. Undone: has the agent remove it.</summary>
public sealed class AgentStep(NodeDirectory nodes, AgentPool agents, MasterStore store) : IStep<FleetDeployment>
{
    public const string StepName = "deploy";
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(30);
    private static readonly TimeSpan s_undoLimit = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan s_quick = TimeSpan.FromSeconds(10);

    public string Name => StepName;

    public async Task<FleetDeployment> RunAsync(FleetDeployment state, IProgress<string> progress, CancellationToken ct)
    {
        var service = state.Service.Name;
        store.Leftovers.Remove(StepName, service.Text, state.Node);
        try
        {
            var agent = agents.Of(nodes.Get(state.At));
            using var call = agent.Deploy(new DeployRequest { Definition = state.Definition, Component = state.Component, IfChanged = state.IfChanged, Sequence = store.NextSequence() }, agents.Within(s_limit, ct));
            await foreach (var step in call.ResponseStream.ReadAllAsync(ct))
            {
                if (step.Kind is StepEvent.Types.Kind.Started or StepEvent.Types.Kind.Progress)
                    progress.Report($"{step.Step} {step.Detail}".TrimEnd());
            }

            // What the agent keeps is the truth, also when only one component was deployed.
            return state with { Definition = Believed(service, (await agent.ShowServiceAsync(new ServiceRequest { Service = service.Text }, agents.Within(s_quick, ct))).Definition) };
        }
        catch (RpcException e) when (!ct.IsCancellationRequested)
        {
            // Refused or undone there: it is where it was before. Silence says nothing: the agent may go on, so the service stays bound to that node.
            if (e.StatusCode is StatusCode.Aborted or StatusCode.InvalidArgument or StatusCode.FailedPrecondition or StatusCode.PermissionDenied or StatusCode.Unauthenticated)
                store.Placements.Release(service);
            throw AgentPool.Explain(state.At, e);
        }
    }

    public async Task UndoAsync(FleetDeployment state, CancellationToken ct)
    {
        foreach (var name in (IEnumerable<string>)(state.From is null ? [state.Node] : [state.Node, state.From]))
            await RemoveAsync(Label.Parse(name), state.Service.Name, ct);
    }

    public string Sum(FleetDeployment state) => $"on {state.Node}";

    // An agent may be broken, or taken over: what it says must at least be this service.
    private static string Believed(Label service, string definition)
    {
        try
        {
            if (ServiceFile.Parse(definition, "service file").Name == service)
                return definition;
        }
        catch (ServiceFileException)
        {
            // As wrong as another service's.
        }

        throw new McpException("node.answer", $"the agent answered with something that is not the definition of {service}", "look at the log of the agent there");
    }

    /// <summary>Safe to repeat: a node that was removed, or knows no such service, has nothing to remove.</summary>
    public async Task RemoveAsync(Label name, Label service, CancellationToken ct)
    {
        if (store.Nodes.Find(name) is not { Key.Length: > 0 } node)
            return;
        try
        {
            await agents.Of(node).UndeployAsync(new ServiceRequest { Service = service.Text, Sequence = store.NextSequence() }, agents.Within(s_undoLimit, ct));
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.NotFound)
        {
            // Nothing there.
        }
        catch (RpcException e) when (!ct.IsCancellationRequested)
        {
            throw AgentPool.Explain(name, e);
        }
    }
}
