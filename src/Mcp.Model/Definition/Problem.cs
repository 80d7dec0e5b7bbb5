namespace Mcp.Model.Definition;

/// <summary>One mistake in a service file. Line and Column count from 1.</summary>
/// <param name="Value">The offending value as written, clipped.</param>
/// <param name="Allowed">What would have been right.</param>
public sealed record Problem(int Line, int Column, string Message, string Value, string Allowed)
{
    public override string ToString() => $"{Line}:{Column}: {Message}" + (Value.Length > 0 ? $": '{Value}'" : "") + Advice();

    private string Advice() => Allowed switch
    {
        "" => "",
        ['d', 'i', 'd', ' ', 'y', 'o', 'u', ' ', ..] => $" ({Allowed})",
        _ => $" (allowed: {Allowed})",
    };
}

/// <summary>The one error that reading a service file throws: every mistake of the file at once.</summary>
public sealed class ServiceFileException(string file, IReadOnlyList<Problem> problems)
    : Exception(string.Join('\n', problems.Select(p => $"{file}:{p}")))
{
    public string File { get; } = file;

    public IReadOnlyList<Problem> Problems { get; } = problems;
}
