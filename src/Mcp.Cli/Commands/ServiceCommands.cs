using System.CommandLine;
using Mcp.Model.Definition;
using Mcp.Cli.Output;
using Mcp.Protocol.V1;

namespace Mcp.Cli.Commands;

/// <summary>service validate, show, export.</summary>
internal static class ServiceCommands
{
    public static Command Create()
    {
        var service = new Command("service", "Service files");
        var file = new Argument<string>("service|file");
        var validate = new Command("validate", "Check a service file; every mistake at once, with line and column") { file };
        validate.SetAction(parsed =>
        {
            try
            {
                var (path, _, definition, _) = ServiceSource.Read(parsed.GetValue(file)!);
                Console.Out.WriteLine($"{path}: service {definition.Name}, {definition.Components.Count} component{(definition.Components.Count == 1 ? "" : "s")}: valid");
                return 0;
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                return Failure.Show(e);
            }
        });
        service.Add(validate);
        var shown = new Argument<string>("service");
        service.Add(AgentCommand.Create("show", "Print a deployed service's definition", [shown], async (parsed, agent, printer, ct) =>
        {
            var reply = await agent.Client.ShowServiceAsync(new ServiceRequest { Service = parsed.GetValue(shown)! }, agent.Call(AgentCommand.Quick, ct));
            if (printer.Json)
                Printer.Message(reply);
            else
                await Console.Out.WriteAsync(reply.Definition);
            return 0;
        }));
        var exported = new Argument<string>("service");
        var target = new Argument<string>("file");
        service.Add(AgentCommand.Create("export", "Write a deployed service's definition to a new file", [exported, target], async (parsed, agent, _, ct) =>
        {
            var reply = await agent.Client.ShowServiceAsync(new ServiceRequest { Service = parsed.GetValue(exported)! }, agent.Call(AgentCommand.Quick, ct));
            var path = parsed.GetValue(target)!;
            // A service file may hold secrets in env.
            await using (var stream = new FileStream(path, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite }))
            await using (var writer = new StreamWriter(stream))
                await writer.WriteAsync(reply.Definition);
            await Console.Out.WriteLineAsync($"wrote {path}: service {ServiceFile.Parse(reply.Definition, path).Name}");
            return 0;
        }));
        return service;
    }
}
