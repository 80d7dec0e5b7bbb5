using System.CommandLine;
using Mcp.Cli;
using Mcp.Cli.Connection;
using Mcp.Usage;

TrustStore.UseNone();
return await CommandLine.Build().RunAsync(args, new InvocationConfiguration());
