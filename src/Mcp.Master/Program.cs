using Mcp.Daemon.Lifecycle;
using Mcp.Master;
using Mcp.Usage;

return await Invocation.RunAsync("mcp-master", Console.Error,
    () => MasterCommands.Build(TimeProvider.System).RunAsync(args, Invocation.Io(Console.Out, Console.Error)));
