using System.CommandLine;
using Mcp.Cli;
using Mcp.Cli.Connection;
using Mcp.Cli.Output;
using Mcp.Usage;

TrustStore.UseNone();
Terminal.Take();
Interrupt.Watch();
return await CommandLine.Build().RunAsync(args, new InvocationConfiguration { ProcessTerminationTimeout = null }, Interrupt.Signal);
