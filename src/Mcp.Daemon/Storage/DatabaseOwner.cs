namespace Mcp.Daemon.Storage;

/// <summary>Whose database it is, for the errors that a person reads.</summary>
/// <param name="Program">Such as "mcp-agent".</param>
/// <param name="Called">What people call the database, such as "the registry".</param>
/// <param name="Without">What to do where it is damaged and there is no backup, after "move it away and".</param>
public sealed record DatabaseOwner(string Program, string Called, string Without);
