using System.CommandLine;
using System.Diagnostics;
using Mcp.Cli.Connection;
using Mcp.Cli.Output;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Protocol.V1;

namespace Mcp.Cli.Commands;

/// <summary>service validate, schema, show, export, edit.</summary>
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
                var read = ServiceSource.Read(parsed.GetValue(file)!);
                var count = read.Definition.Components.Count;
                Console.Out.WriteLine($"{read.File}: service {read.Definition.Name}, {count} component{(count == 1 ? "" : "s")}: valid");
                return 0;
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                return Failure.Show(e, "");
            }
        });
        service.Add(validate);
        var schema = new Command("schema", "Print a JSON schema of service files, for editors");
        schema.SetAction(_ => Console.Out.Write(ServiceFile.Schema()));
        service.Add(schema);
        var shown = new Argument<string>("service");
        service.Add(AgentCommand.Create("show", "Print a deployed service's definition", [shown], async (parsed, agent, printer, ct) =>
        {
            var reply = await agent.Client.ShowServiceAsync(
                new ServiceRequest { Service = parsed.GetValue(shown)! }, agent.Call(AgentCommand.Quick, ct));
            if (printer.Json)
                Printer.Message(reply);
            else
                await Console.Out.WriteAsync(Console.IsOutputRedirected ? reply.Definition : Visible.Lines(reply.Definition));
            return 0;
        }));
        var exported = new Argument<string>("service");
        var target = new Argument<string>("file");
        service.Add(AgentCommand.Create(
            "export", "Write a deployed service's definition to a new file", [exported, target], async (parsed, agent, _, ct) =>
        {
            var reply = await agent.Client.ShowServiceAsync(
                new ServiceRequest { Service = parsed.GetValue(exported)! }, agent.Call(AgentCommand.Quick, ct));
            var path = parsed.GetValue(target)!;
            if (Path.Exists(path))
            {
                var what = Directory.Exists(path) ? $"'{path}' is a directory" : $"'{path}' exists";
                throw new McpException(ErrorCode.Usage, what, "export writes a new file");
            }

            // A service file may hold secrets in env.
            await using (var stream = new FileStream(path, new FileStreamOptions
            {
                Mode = FileMode.CreateNew,
                Access = FileAccess.Write,
                UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            }))
            await using (var writer = new StreamWriter(stream))
                await writer.WriteAsync(reply.Definition);
            await Console.Out.WriteLineAsync($"wrote {path}: service {parsed.GetValue(exported)}");
            return 0;
        }));
        var edited = new Argument<string>("service");
        service.Add(AgentCommand.Create(
            "edit",
            "Edit a deployed service's definition in $EDITOR and deploy it",
            [edited],
            (parsed, agent, printer, ct) => EditAsync(parsed.GetValue(edited)!, agent, printer, ct)));
        return service;
    }

    private static async Task<int> EditAsync(string service, AgentConnection agent, Printer printer, CancellationToken ct)
    {
        var request = new ServiceRequest { Service = service };
        var before = (await agent.Client.ShowServiceAsync(request, agent.Call(AgentCommand.Quick, ct))).Definition;
        // A directory only its owner may enter: a service file may hold secrets in env.
        var directory = Directory.CreateTempSubdirectory("mcp-edit");
        var file = Path.Combine(directory.FullName, service + ".toml");
        await File.WriteAllTextAsync(file, before, ct);
        // Whatever fails from here on: what was written stays, and is named.
        var deployed = false;
        try
        {
            await RunEditorAsync(file, ct);
            if (await File.ReadAllTextAsync(file, ct) == before)
                await Console.Out.WriteLineAsync("unchanged");
            else
                deployed = await DeployCommands.DeployAsync(file, agent, printer, ct) == 0;
            return 0;
        }
        finally
        {
            if (deployed || await File.ReadAllTextAsync(file, CancellationToken.None) == before)
                directory.Delete(recursive: true);
            else
                await Console.Error.WriteLineAsync(Visible.Text($"mcp: your text is in {file}"));
        }
    }

    private static Process Started(ProcessStartInfo editor)
    {
        try
        {
            return Process.Start(editor)!;
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            var what = $"the editor {editor.FileName} cannot be started; nothing was changed";
            throw new McpException(ErrorCode.Usage, what, "set EDITOR to one that this machine has", e);
        }
    }

    private static async Task RunEditorAsync(string file, CancellationToken ct)
    {
        var named = Environment.GetEnvironmentVariable("VISUAL") ?? Environment.GetEnvironmentVariable("EDITOR") ?? "";
        var editor = named.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (editor.Length == 0)
            editor = ["vi"];
        var start = new ProcessStartInfo(editor[0]);
        foreach (var argument in (IEnumerable<string>)[.. editor.Skip(1), file])
            start.ArgumentList.Add(argument);
        using var process = Started(start);
        await Interrupt.LeaveToAsync(process.WaitForExitAsync(ct));
        if (process.ExitCode != 0)
        {
            throw new McpException(
                ErrorCode.EditFailed,
                $"{editor[0]} ended with exit code {process.ExitCode}; nothing was changed",
                "");
        }
    }
}
