using Mcp.Model.Errors;
using Microsoft.Data.Sqlite;

namespace Mcp.Daemon.Storage;

/// <summary>A SQLite file: WAL, synchronous=FULL, foreign keys on. Connections are pooled, so opening one costs microseconds.</summary>
public sealed class Database : IDisposable
{
    private readonly string _connectionString;
    private readonly DatabaseOwner _owner;

    private Database(string file, DatabaseOwner owner)
    {
        (File, _owner) = (file, owner);
        _connectionString = new SqliteConnectionStringBuilder { DataSource = file, ForeignKeys = true, DefaultTimeout = 10 }.ToString();
    }

    public string File { get; }

    /// <summary>Opens and checks the file; makes it, readable by its owner only, if it is missing.</summary>
    /// <exception cref="McpException">registry.corrupt: the file is damaged; nothing was changed. registry.open: it cannot be opened.</exception>
    public static Database Open(string file, DatabaseOwner owner)
    {
        var database = new Database(file, owner);
        try
        {
            if (System.IO.File.Exists(file))
                database.RefuseDamaged();
            else
                using (new FileStream(file, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite })) { }
            using var connection = database.Connect();
            connection.Run("PRAGMA journal_mode=WAL");
        }
        catch (SqliteException e) when (e.SqliteErrorCode is 11 or 26)
        {
            throw database.Damaged(e);
        }
        catch (Exception e) when (e is SqliteException or IOException or UnauthorizedAccessException)
        {
            throw new McpException(
                ErrorCode.RegistryOpen,
                $"cannot open {owner.Called} {file}: {e.Message}",
                "is the disk full, or the directory not writable?",
                e);
        }

        return database;
    }

    public SqliteConnection Connect()
    {
        var connection = new SqliteConnection(_connectionString);
        connection.Open();
        // SQLite waits for another writer in steps of milliseconds; left to itself the driver looks again after 150.
        connection.Run("PRAGMA synchronous=FULL; PRAGMA busy_timeout=10000");
        return connection;
    }

    public void Dispose()
    {
        using var connection = new SqliteConnection(_connectionString);
        SqliteConnection.ClearPool(connection);
    }

    // Read-only and immutable, so that a damaged file stays as it is, its WAL included.
    private void RefuseDamaged()
    {
        using var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = File, Mode = SqliteOpenMode.ReadOnly, Pooling = false }.ToString());
        connection.Open();
        if (connection.Scalar("PRAGMA quick_check(1)") is not "ok" and var answer)
            throw Damaged(new InvalidDataException($"quick_check: {answer}"));
    }

    /// <summary>The file was written by a newer program.</summary>
    internal McpException Newer(long version, int known) => new(
        ErrorCode.RegistryNewer,
        $"{_owner.Called} {File} has schema {version}, and this program knows up to {known}",
        $"install the newer {_owner.Program} again, or restore a backup from before the upgrade");

    private McpException Damaged(Exception cause) => new(
        ErrorCode.RegistryCorrupt,
        $"{_owner.Called} {File} is damaged ({cause.Message}); nothing was changed",
        $"restore it from a backup, or move it away (mv {File} {File}.damaged) and {_owner.Without}",
        cause);
}
