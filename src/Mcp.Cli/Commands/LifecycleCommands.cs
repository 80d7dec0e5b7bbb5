using System.CommandLine;
using Grpc.Core;
using Mcp.Cli.Output;
using Mcp.Model.Errors;
using Mcp.Protocol.V1;

namespace Mcp.Cli.Commands;

/// <summary>undeploy, start, stop, restart, sync, adopt, purge.</summary>
internal static class LifecycleCommands
{
    public static IEnumerable<Command> Changes()
    {
        var service = new Argument<string>("service");
        var volumes = new Option<bool>("--volumes") { Description = "remove its named volumes with their data, too; asks first" };
        var yes = new Option<bool>("--yes", "-y") { Description = "do not ask; in a script only --volumes needs it" };
        yield return AgentCommand.Create(
            "undeploy",
            "Stop and remove a service; its volumes stay. Asks first on a terminal",
            [service, volumes, yes],
            async (parsed, agent, printer, ct) =>
        {
            var (name, component) = AgentCommand.Target(parsed.GetValue(service)!);
            if (component.Length > 0)
            {
                throw new McpException(
                    ErrorCode.Usage,
                    $"undeploy removes whole services, and {name}/{component} is one component",
                    $"take it out of the service file and deploy that, or: mcp undeploy {name}");
            }

            var request = new ServiceRequest { Service = name };
            var going = parsed.GetValue(volumes) ? await VolumeCommands.OfAsync(name, agent, ct) : [];
            await VolumeCommands.ConfirmAsync(going, parsed.GetValue(yes), ct);
            if (going.Count == 0 && !parsed.GetValue(yes) && Question.CanBeAsked)
                await Question.AskAsync($"This stops and removes {name}; its volumes stay. Remove?", ct);
            using var undeploy = agent.Client.UndeployAsync(request, agent.Changing(ct));
            var told = await Waits.TellAsync(undeploy.ResponseAsync, name, "undeploy", agent, ct);
            await VolumeCommands.RemoveAsync(going, told, agent, ct);
            return Done(told, printer);
        });
        yield return Change("start", "Start what was stopped", (client, request, options) => client.StartAsync(request, options));
        yield return Change(
            "stop", "Stop; it stays stopped until started or deployed", (client, request, options) => client.StopAsync(request, options));
        yield return Change("restart", "Stop and start", (client, request, options) => client.RestartAsync(request, options));
    }

    public static IEnumerable<Command> Repairs()
    {
        var syncDry = new Option<bool>("--dry-run") { Description = "only show the drift" };
        yield return AgentCommand.Create(
            "sync", "Compare what runs with what should run, and repair it now", [syncDry], async (parsed, agent, printer, ct) =>
        {
            var reply = await agent.Client.SyncAsync(
                new SyncRequest { DryRun = parsed.GetValue(syncDry) }, agent.Changing(ct));
            var fleet = reply.Drift.Any(d => d.Node.Length > 0);
            Column[] columns = [.. StatusCommands.Only<Column>(fleet, "NODE"), "INSTANCE", new("DRIFT", Folds: true), "REPAIR"];
            var rows = reply.Drift.Select(d => (Cell[])[.. StatusCommands.Only<Cell>(fleet, d.Node), d.Instance, d.What, d.Repair]);
            printer.Show(reply, new Table(columns, rows), reply.Unreachable.Count == 0 ? "no drift" : "no drift on the nodes that answer");
            if (!printer.Json)
                await StatusCommands.ShowUnreachableAsync(reply.Unreachable, printer);
            return reply.Unreachable.Count == 0 ? 0 : 1;
        });
        var adopted = new Argument<string?>("service") { Arity = ArgumentArity.ZeroOrOne };
        var adoptDry = new Option<bool>("--dry-run") { Description = "only show what would be adopted" };
        yield return AgentCommand.Create(
            "adopt",
            "Take instances that the registry has lost back into it",
            [adopted, adoptDry],
            async (parsed, agent, printer, ct) =>
            {
                var request = new AdoptRequest { Service = parsed.GetValue(adopted) ?? "", DryRun = parsed.GetValue(adoptDry) };
                return Done(await agent.Client.AdoptAsync(request, agent.Changing(ct)), printer);
            });
        var purgeDry = new Option<bool>("--dry-run") { Description = "only show what would be removed" };
        yield return AgentCommand.Create(
            "purge",
            "Remove instances that the registry does not know",
            [purgeDry],
            async (parsed, agent, printer, ct) =>
            {
                var request = new PurgeRequest { DryRun = parsed.GetValue(purgeDry) };
                return Done(await agent.Client.PurgeAsync(request, agent.Changing(ct)), printer);
            });
    }

    private static Command Change(
        string name,
        string description,
        Func<Agent.AgentClient, ComponentRequest, CallOptions, AsyncUnaryCall<OperationReply>> call)
    {
        var target = new Argument<string>("service[/component]");
        return AgentCommand.Create(name, description, [target], async (parsed, agent, printer, ct) =>
        {
            var (service, component) = AgentCommand.Target(parsed.GetValue(target)!);
            var request = new ComponentRequest { Service = service, Component = component };
            using var change = call(agent.Client, request, agent.Changing(ct));
            return Done(await Waits.TellAsync(change.ResponseAsync, service, name, agent, ct), printer);
        });
    }

    internal static int Done(OperationReply reply, Printer printer)
    {
        if (printer.Json)
        {
            Printer.Message(reply);
            return reply.Failed.Count == 0 ? 0 : 1;
        }

        foreach (var line in reply.Done.DefaultIfEmpty(reply.Failed.Count == 0 ? "nothing to do" : "nothing done"))
            Console.Out.WriteLine(Visible.Lines(line));
        foreach (var line in reply.Failed)
            Console.Error.WriteLine(Visible.Lines($"mcp: {line}"));
        return reply.Failed.Count == 0 ? 0 : 1;
    }
}
