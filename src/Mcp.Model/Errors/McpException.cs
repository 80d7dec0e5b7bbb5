using Mcp.Model.Names;

namespace Mcp.Model.Errors;

/// <summary>An expected failure, told in three parts: what happened, why, and what to do.</summary>
/// <param name="code">What programs match on.</param>
/// <param name="what">One line: what could not be done.</param>
/// <param name="hint">One line: what the person can do about it. May be empty.</param>
/// <param name="cause">The underlying failure, or null.</param>
public sealed class McpException(ErrorCode code, string what, string hint = "", Exception? cause = null) : Exception(what, cause)
{
    public ErrorCode Code { get; } = code;

    public string Hint { get; } = hint;

    /// <summary>Whose failure it is; null: of none in particular.</summary>
    public Label? Component { get; init; }
}
