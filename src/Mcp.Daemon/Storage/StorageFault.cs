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

    /// <summary>Null: a failure of another kind.</summary>
    public static McpException? Explain(Exception e) => e switch
    {
        SqliteException { SqliteErrorCode: SqliteFull } or IOException { HResult: NoSpaceLeft } => new McpException(ErrorCode.DiskFull, $"the disk of this node is full: {e.Message}", "free some space (mcp node show says how much there is); nothing was lost", e),
        SqliteException { SqliteErrorCode: SqliteBusy } => new McpException(ErrorCode.RegistryLocked, $"the database is locked by another program: {e.Message}", "end that program (fuser FILE says which) and try again; nothing was lost", e),
        _ => null,
    };
}
