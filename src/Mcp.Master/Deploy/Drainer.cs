using Mcp.Daemon.Operations;
using Mcp.Master.Nodes;
using Mcp.Master.Store;
using Mcp.Model;
using Mcp.Model.Names;

namespace Mcp.Master.Deploy;

/// <summary>Cordons a node and moves its services elsewhere, one after the other; one that cannot move stays and is told.</summary>
public sealed class Drainer(NodeDirectory nodes, MasterStore store, FleetDeployer deployer)
{
    /// <param name="report">The "step" is the service.</param>
    /// <exception cref="McpException">drain.partial: names the services that stayed.</exception>
    public async Task DrainAsync(Label name, StepReport report, CancellationToken ct)
    {
        var node = nodes.Get(name);
        store.Nodes.Cordon(node.Name, true);
        store.Events.Add("", "", "node.draining", name.Text);
        var stayed = new List<string>();
        foreach (var placement in store.Placements.List().Where(p => p.Home == name))
        {
            var service = placement.Service.Text;
            report(service, StepMark.Started, "");
            try
            {
                await deployer.DeployAsync(new FleetDeployment(placement.Definition, "", null, true, true), (step, _, detail) => report(service, StepMark.Progress, $"{step} {detail}"), ct);
                report(service, StepMark.Done, $"now on {store.Placements.Find(placement.Service)?.Home}");
            }
            catch (Exception e) when (e is StepFailedException or McpException)
            {
                stayed.Add(service);
                report(service, StepMark.Failed, e.Message);
            }
        }

        if (stayed.Count > 0)
            throw new McpException("drain.partial", $"{string.Join(", ", stayed)} could not move from {name}; it is cordoned", "mcp events says why; repeat it when there is room elsewhere");
    }
}
