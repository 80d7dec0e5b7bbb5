using System.CommandLine;
using System.Text.Json.Nodes;
using Mcp.Cli.Connection;
using Mcp.Cli.Output;
using Mcp.Model.Names;
using Mcp.Protocol.V1;

namespace Mcp.Cli.Commands;

/// <summary>deploy, plan, cancel.</summary>
internal static class DeployCommands
{
    public static IEnumerable<Command> All()
    {
        var dryRun = new Option<bool>("--dry-run") { Description = "only show what would change" };
        var id = PlanId();
        var detach = new Option<bool>("--detach") { Description = "return as soon as it serves, without waiting for the watch" };
        var attach = new Option<bool>("--attach") { Description = "only follow the deploy of this service that is running" };
        var deploy = new DeployChoices("place it on this node, or move it there");
        yield return AgentCommand.Create(
            "deploy",
            "Deploy services: what changed is replaced once it is well; what did not is kept",
            [.. deploy.All, id, dryRun, detach, attach],
            async (parsed, agent, printer, ct) =>
            {
                if (parsed.GetValue(attach))
                {
                    await new Following(deploy.Target(parsed), parsed.GetValue(detach), agent, printer).AttachAsync(ct);
                    return 0;
                }

                var wanted = await deploy.ReadAsync(parsed, parsed.GetValue(id) ?? "", ct);
                return await EachAsync(wanted, agent, printer, one => parsed.GetValue(dryRun)
                    ? PlanAsync(one, agent, printer, several: wanted.Count > 1, ct)
                    : DeployAsync(one, parsed.GetValue(detach), agent, printer, ct));
            });
        var cancelled = new Argument<string>("service");
        yield return AgentCommand.Create(
            "cancel",
            "Cancel the running deploy of a service, and undo what it did",
            [cancelled],
            async (parsed, agent, printer, ct) =>
            {
                var service = Label.Parse(parsed.GetValue(cancelled)!).Text;
                var request = new CancelRequest { Service = service };
                return LifecycleCommands.Done(await agent.Client.CancelAsync(request, agent.Changing(ct)), printer);
            });
        var plan = new DeployChoices("plan for this node");
        yield return AgentCommand.Create(
            "plan",
            "Show what a deploy would change",
            [.. plan.All],
            async (parsed, agent, printer, ct) =>
            {
                var wanted = await plan.ReadAsync(parsed, "", ct);
                return await EachAsync(wanted, agent, printer, one => PlanAsync(one, agent, printer, several: wanted.Count > 1, ct));
            });
    }

    /// <summary>For every command that moves services.</summary>
    public static Option<bool> LeaveData() =>
        new("--leave-data") { Description = "move it even if data in its writable volumes stays behind" };

    public static Task<int> DeployAsync(string target, AgentConnection agent, Printer printer, CancellationToken ct)
    {
        var read = ServiceSource.Read(target);
        var request = new DeployRequest { Definition = read.Text, Component = read.Component };
        return DeployAsync(new Wanted(read.File, read.Definition.Name.Text, request), detach: false, agent, printer, ct);
    }

    // One after the other; one that fails keeps no other from its turn. Of several each is told by its file, and at the end all of them.
    private static async Task<int> EachAsync(IReadOnlyList<Wanted> all, AgentConnection agent, Printer printer, Func<Wanted, Task<int>> act)
    {
        if (all.Count == 1)
            return await act(all[0]);
        var results = new List<(Wanted One, int Code)>();
        foreach (var (index, one) in all.Index())
        {
            if (!printer.Json)
                await Console.Out.WriteLineAsync(Visible.Text($"{one.File}:"));
            results.Add((one, await TriedAsync(one with { IsLast = index == all.Count - 1 }, agent, printer, act)));
            if (Interrupt.Code is not null)
                break;
        }

        if (!printer.Json)
        {
            foreach (var (one, code) in results)
                await Console.Out.WriteLineAsync(Visible.Text($"{(code == 0 ? "ok      " : "failed  ")}{one.Service}  {one.File}"));
            foreach (var one in all.Skip(results.Count))
                await Console.Out.WriteLineAsync(Visible.Text($"left    {one.Service}  {one.File}"));
        }

        return Interrupt.Code ?? results.Select(r => r.Code).FirstOrDefault(code => code != 0);
    }

    private static async Task<int> TriedAsync(Wanted one, AgentConnection agent, Printer printer, Func<Wanted, Task<int>> act)
    {
        try
        {
            return await act(one);
        }
        catch (Exception e) when (e is not OutOfMemoryException && !Interrupt.ReaderGone.IsCancellationRequested)
        {
            return Failure.Show(e, agent.Address, printer.Json, agent.Changes);
        }
    }

    private static async Task<int> DeployAsync(Wanted wanted, bool detach, AgentConnection agent, Printer printer, CancellationToken ct)
    {
        await new Following(wanted.Service, detach, agent, printer) { MayLeave = wanted.IsLast }.DeployAsync(wanted.Request, ct);
        return 0;
    }

    private static async Task<int> PlanAsync(Wanted wanted, AgentConnection agent, Printer printer, bool several, CancellationToken ct)
    {
        var plan = await agent.Client.PlanAsync(wanted.Request, agent.Call(AgentCommand.Quick, ct));
        var json = new JsonObject { ["service"] = wanted.Service };
        foreach (var (name, value) in Json.Of(plan))
            json[name] = value?.DeepClone();
        if (printer.Json)
            Printer.Object(json);
        else
            PlanText.Lines(plan, wanted.Service).ToList().ForEach(line => Console.Out.WriteLine(Visible.Text(line)));
        if (several && !printer.Json)
            await Console.Out.WriteLineAsync();
        // The master says why it goes where it goes; an agent has only itself.
        return plan.Why.Length > 0 && plan.Node.Length == 0 ? 1 : 0;
    }

    private static Option<string?> PlanId()
    {
        var option = new Option<string?>("--plan")
        {
            Description = "do exactly the plan that mcp plan showed with this id; refuse if anything has changed since",
            HelpName = "ID",
        };
        option.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<string>() is not { Length: 16 } id || !id.All(char.IsAsciiHexDigitLower))
                result.AddError("--plan takes the 16 digits that mcp plan prints at its end");
        });
        return option;
    }
}
