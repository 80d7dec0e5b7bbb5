using Grpc.Core;
using Mcp.Daemon.Errors;
using Mcp.Model.Errors;
using Mcp.Model.Events;
using Mcp.Protocol.Errors;
using Mcp.Protocol.V1;

namespace Mcp.Daemon.Identity;

/// <summary>How much of what happened a caller sees. What a check asks, and what the program inside answers, may hold secrets, as the
/// service file does (ShowService): whoever may only look sees the first line of a text, which says what happened.</summary>
public static class SeenWords
{
    private const string Mark = ": ";

    public static StatusReply By(Caller caller, StatusReply status)
    {
        if (SeesAll(caller))
            return status;
        var seen = status.Clone();
        foreach (var component in seen.Components)
            (component.Unhealthy, component.Starting) = (Health(component.Unhealthy), Health(component.Starting));
        return seen;
    }

    public static Event By(Caller caller, Event happened)
    {
        if (SeesAll(caller))
            return happened;
        var seen = happened.Clone();
        seen.Detail = FirstLine(happened.Detail);
        // Of an older agent all of it is one line.
        if (EventKind.Find(happened.Kind) is { TellsCheck: true } && seen.Detail == happened.Detail)
            seen.Detail = UpTo(Mark, seen.Detail);
        return seen;
    }

    public static StepEvent By(Caller caller, StepEvent happened)
    {
        if (SeesAll(caller))
            return happened;
        // Others follow it, too.
        var seen = happened.Clone();
        seen.Detail = FirstLine(seen.Detail);
        foreach (var result in seen.Results)
            result.Detail = FirstLine(result.Detail);
        return seen;
    }

    /// <summary>Of what ends with the failure of an operation.</summary>
    public static async Task FollowedAsync(Caller caller, Func<Task> follow)
    {
        try
        {
            await follow();
        }
        catch (Exception e) when (!SeesAll(caller) && Refusal.Of(e) is { } refusal && refusal.Status.Detail.Contains('\n'))
        {
            throw new McpException(
                ErrorTrailers.CodeOf(refusal) ?? ErrorCode.Internal,
                FirstLine(refusal.Status.Detail),
                FirstLine(ErrorTrailers.HintOf(refusal)));
        }
    }

    private static bool SeesAll(Caller caller) => caller.Role.May(Role.Deployer);

    // An older agent says all of it in one line.
    private static string Health(string told) =>
        told.Length == 0 || told.Contains('\n') ? FirstLine(told) : "its health check fails";

    private static string FirstLine(string text) => UpTo("\n", text);

    private static string UpTo(string mark, string text) =>
        text.IndexOf(mark, StringComparison.Ordinal) is >= 0 and var at ? text[..at] : text;
}

/// <summary>An operation's steps as a caller sees them.</summary>
public sealed class SeenSteps(Caller caller, IServerStreamWriter<StepEvent> inner) : IServerStreamWriter<StepEvent>
{
    public WriteOptions? WriteOptions { get => inner.WriteOptions; set => inner.WriteOptions = value; }

    public Task WriteAsync(StepEvent message) => inner.WriteAsync(SeenWords.By(caller, message));

    public Task WriteAsync(StepEvent message, CancellationToken cancellationToken) =>
        inner.WriteAsync(SeenWords.By(caller, message), cancellationToken);
}
