namespace Mcp.Model.Deploy;

/// <summary>A key whose value a deploy changes, for people: long values are clipped, secrets hidden, control characters escaped.</summary>
/// <param name="Path">Where it is in the file: "env.LOG_LEVEL", "health.interval"; in a list of tables by their names:
/// "routes.http.port".</param>
/// <param name="Old">What was written, or holds without being written; empty: there was no value.</param>
/// <param name="New">The same of what comes.</param>
public sealed record FieldChange(string Path, string Old, string New)
{
    /// <summary>Instead of a value that must not be seen.</summary>
    public const string Hidden = "(hidden)";
}
