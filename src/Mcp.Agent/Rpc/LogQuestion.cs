using System.Diagnostics;
using System.Text.RegularExpressions;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Protocol.V1;
using Mcp.Runtimes;

namespace Mcp.Agent.Rpc;

/// <summary>Which lines a client asks for.</summary>
internal static class LogQuestion
{
    private const int LongestPattern = 1000;

    // A line has at most a MiB, and this kind of expression takes time in proportion to it.
    private static readonly TimeSpan s_matchLimit = TimeSpan.FromSeconds(1);

    // Of all lines of a request that has an end.
    private static readonly TimeSpan s_budget = TimeSpan.FromSeconds(30);

    /// <exception cref="McpException">usage: the expression is none, or previous is negative or goes with follow.</exception>
    public static LogOptions Of(LogsRequest request)
    {
        if (request.Previous < 0)
            throw Wrong("the number of generations before must be at least 1", "1 is the generation before the one that serves");
        if (request.Previous > 0 && request.Follow)
            throw Wrong("the log of a former generation cannot be followed", "leave out --follow or --previous");
        return new LogOptions(request.Follow, request.Tail < 0 ? null : request.Tail, request.Since?.ToDateTimeOffset())
        {
            Until = request.Until?.ToDateTimeOffset(),
            Matches = request.Grep.Length == 0 ? null : Matching(request.Grep, request.Follow ? TimeSpan.MaxValue : s_budget),
        };
    }

    /// <param name="budget">Of time for all texts together.</param>
    /// <returns>Throws usage where a text, or all of them, take too long.</returns>
    internal static Func<string, bool> Matching(string pattern, TimeSpan budget)
    {
        const string allowed = "a regular expression of .NET, up to 1000 characters, without look-around and back-references; "
            + "\\ takes the meaning from . * + ? ( ) [ { | ^ $";
        if (pattern.Length > LongestPattern)
            throw Wrong($"the expression has {pattern.Length} characters", allowed);
        try
        {
            var regex = new Regex(pattern, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant, s_matchLimit);
            var spent = 0L;
            return text =>
            {
                var began = Stopwatch.GetTimestamp();
                try
                {
                    var matches = regex.IsMatch(text);
                    return Interlocked.Add(ref spent, Stopwatch.GetElapsedTime(began).Ticks) <= budget.Ticks ? matches : throw TooSlow();
                }
                catch (RegexMatchTimeoutException)
                {
                    throw TooSlow();
                }
            };
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            throw Wrong($"'{Label.Clip(pattern)}' is not an expression that lines can be searched for: {e.Message}", allowed);
        }
    }

    private static McpException TooSlow() => Wrong(
        "the search for this expression takes too long",
        "a simpler expression, or fewer lines: --since and --until choose them");

    private static McpException Wrong(string what, string hint) => new(ErrorCode.Usage, what, hint);
}
