using Mcp.Model;
using Microsoft.Data.Sqlite;

namespace Mcp.Daemon.Storage;

/// <summary>Tells a full disk from other failures, however it came.</summary>
public static class DiskFull
{
    // sqlite3.h: SQLITE_FULL; errno.h: ENOSPC
    private const int SqliteFull = 13;
    private const int NoSpaceLeft = 28;

    public static bool Is(Exception e) => e is SqliteException { SqliteErrorCode: SqliteFull } or IOException { HResult: NoSpaceLeft };

    public static McpException Explain(Exception e) =>
        new("disk.full", $"the disk of this node is full: {e.Message}", "free some space (mcp node show says how much there is); nothing was lost", e);
}
