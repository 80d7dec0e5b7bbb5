using Mcp.Cli;
using Mcp.Cli.Connection;

TrustStore.UseNone();
return await CommandLine.Build().Parse(args).RunAsync();
