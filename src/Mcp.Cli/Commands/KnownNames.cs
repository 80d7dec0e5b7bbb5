using System.CommandLine;
using System.CommandLine.Completions;
using Grpc.Core;
using Mcp.Cli.Connection;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Protocol.Errors;
using Mcp.Protocol.V1;

namespace Mcp.Cli.Commands;

/// <summary>The names that there are where somebody is asked for one: for the shell to complete, and to tell which one was meant. Asked
/// for at most a second; who cannot be asked has none.</summary>
internal static class KnownNames
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(1);

    /// <summary>By what its argument or option is called.</summary>
    public static void Complete(Symbol symbol, Option<string?> direct)
    {
        var (sources, name) = symbol switch
        {
            Argument argument => (argument.CompletionSources, argument.HelpName ?? argument.Name),
            Option option => (option.CompletionSources, option.HelpName ?? ""),
            _ => ([], ""),
        };
        Func<AgentConnection, CancellationToken, Task<IEnumerable<string>>>? ask = name switch
        {
            "service" or "service|file" => ServicesAsync,
            "service[/component]" or "service|file[/component]" => ComponentsAsync,
            "service/volume" => VolumesAsync,
            "node" or "NODE" => NodesAsync,
            _ => null,
        };
        if (ask is not null)
            sources.Add(context => Ask(context.ParseResult.GetValue(direct), ask).Select(n => new CompletionItem(n)));
    }

    /// <summary>It says that something is not there.</summary>
    public static bool IsUnknown(RpcException e) =>
        ErrorTrailers.CodeOf(e) is { } code
            && (code == ErrorCode.ServiceUnknown || code == ErrorCode.ComponentUnknown || code == ErrorCode.NodeUnknown);

    /// <summary>The name that was meant; null: nothing is near.</summary>
    public static async Task<string?> MeantAsync(RpcException e, ParseResult parsed, AgentConnection agent)
    {
        using var over = new CancellationTokenSource(s_limit);
        var isNode = ErrorTrailers.CodeOf(e) == ErrorCode.NodeUnknown;
        var known = (await TryAsync(isNode ? NodesAsync : ComponentsAsync, agent, over.Token)).ToHashSet();
        var words = parsed.CommandResult.Children.SelectMany(c => c.Tokens).Select(t => t.Value);
        return words.Where(w => !known.Contains(w)).Select(w => DidYouMean.Nearest(w, known)).FirstOrDefault(near => near is not null);
    }

    // The shell waits, and there is nothing asynchronous to ask from.
    private static IEnumerable<string> Ask(string? direct, Func<AgentConnection, CancellationToken, Task<IEnumerable<string>>> ask)
    {
        using var over = new CancellationTokenSource(s_limit);
        try
        {
            using var agent = new AgentConnection(Login.Read(), direct);
#pragma warning disable VSTHRD002
            return Task.Run(() => TryAsync(ask, agent, over.Token)).WaitAsync(over.Token).GetAwaiter().GetResult();
#pragma warning restore VSTHRD002
        }
        catch (Exception e) when (e is McpException or OperationCanceledException or System.Security.Cryptography.CryptographicException)
        {
            return [];
        }
    }

    private static async Task<IEnumerable<string>> TryAsync(
        Func<AgentConnection, CancellationToken, Task<IEnumerable<string>>> ask,
        AgentConnection agent,
        CancellationToken ct)
    {
        try
        {
            return await ask(agent, ct);
        }
        catch (Exception e) when (e is RpcException or OperationCanceledException)
        {
            return [];
        }
    }

    private static async Task<IEnumerable<string>> ServicesAsync(AgentConnection agent, CancellationToken ct) =>
        (await StatusAsync(agent, ct)).Components.Select(c => c.Service).Distinct();

    private static async Task<IEnumerable<string>> ComponentsAsync(AgentConnection agent, CancellationToken ct) =>
        (await StatusAsync(agent, ct)).Components.SelectMany(c => new[] { c.Service, $"{c.Service}/{c.Component}" }).Distinct();

    private static async Task<IEnumerable<string>> VolumesAsync(AgentConnection agent, CancellationToken ct) =>
        (await agent.Client.ListVolumesAsync(new VolumesRequest(), agent.Call(s_limit, ct))).Volumes.Select(v => $"{v.Service}/{v.Name}");

    private static async Task<IEnumerable<string>> NodesAsync(AgentConnection agent, CancellationToken ct) =>
        (await agent.Nodes.ListNodesAsync(new ListNodesRequest(), agent.Call(s_limit, ct))).Nodes.Select(n => n.Name);

    private static async Task<StatusReply> StatusAsync(AgentConnection agent, CancellationToken ct) =>
        await agent.Client.StatusAsync(new StatusRequest(), agent.Call(s_limit, ct));
}
