using Mcp.Model.Errors;
using Microsoft.Data.Sqlite;

namespace Mcp.Daemon.Storage;

/// <summary>Tells what of the machine kept something from being written, however it came.</summary>
public static class StorageFault
{
    // sqlite3.h: SQLITE_BUSY, SQLITE_FULL; errno.h: ENOSPC
    private const int SqliteBusy = 5;
    private const int SqliteFull = 13;
    private const int NoSpaceLeft = 28;

    // The agent and the master say the same, and whoever asked the one may have been answered by the other.
    private static string ThisMachine => $"the machine {Environment.MachineName}";

    /// <summary>Null: a failure of another kind.</summary>
    public static McpException? Explain(Exception e) => e switch
    {
        SqliteException { SqliteErrorCode: SqliteFull } or IOException { HResult: NoSpaceLeft } => new McpException(
            ErrorCode.DiskFull,
            $"a disk of {ThisMachine} is full: {e.Message}",
            "free some space there (df -h says which disk it is); nothing was lost",
            e),
        SqliteException { SqliteErrorCode: SqliteBusy } => new McpException(
            ErrorCode.RegistryLocked,
            $"a database on {ThisMachine} is locked by another program: {e.Message}",
            "end that program there (fuser STATE/*.db says which it is) and try again; nothing was lost",
            e),
        _ => null,
    };
}
