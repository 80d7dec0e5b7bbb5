using Mcp.Agent;
using Mcp.Daemon.Lifecycle;
using Mcp.Runtimes.Qemu;
using Mcp.Usage;

return await Invocation.RunAsync("mcp-agent", Console.Error, args switch
{
    ["detach", .. var launched] => () => Task.FromResult(Detached.Become(launched)),
    ["vm", var directory, var run] => () => Task.FromResult(VmKeeper.Become(directory, run, TimeProvider.System)),
    _ => () => AgentCommands.Build(TimeProvider.System).RunAsync(args, Invocation.Io(Console.Out, Console.Error)),
});
