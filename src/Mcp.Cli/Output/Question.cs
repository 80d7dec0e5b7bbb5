using Mcp.Model.Errors;

namespace Mcp.Cli.Output;

/// <summary>A question to the person at the terminal, before something goes for good.</summary>
internal static class Question
{
    /// <summary>Somebody sees it and can answer.</summary>
    public static bool CanBeAsked => !Console.IsInputRedirected && !Console.IsErrorRedirected;

    /// <exception cref="McpException">usage: the answer is no.</exception>
    public static async Task AskAsync(string question, CancellationToken ct)
    {
        await Console.Error.WriteAsync(Visible.Text($"{question} [y/N] "));
        if ((await Terminal.ReadLineAsync(ct))?.Trim().ToLowerInvariant() is not ("y" or "yes"))
            throw new McpException(ErrorCode.Usage, "nothing was removed", "");
    }
}
