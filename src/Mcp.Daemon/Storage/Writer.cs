using System.Diagnostics;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Mcp.Daemon.Storage;

/// <summary>The one connection of a program that changes its database: one change after the other, each in its own transaction.</summary>
internal sealed class Writer : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    private readonly Lock _turn = new();
    private readonly SqliteConnection _connection;
    private readonly SqliteCommand _begin;
    private readonly SqliteCommand _count;
    private readonly SqliteCommand _commit;
    private Action<SqliteConnection>? _first;

    public Writer(string file)
    {
        // Kept for as long as the database is open, so it needs no pool: settings are made once, and these statements prepared once.
        var settings = new SqliteConnectionStringBuilder { DataSource = file, ForeignKeys = true, DefaultTimeout = 10, Pooling = false };
        _connection = new SqliteConnection(settings.ToString());
        _begin = new SqliteCommand("BEGIN IMMEDIATE", _connection);
        _count = new SqliteCommand("UPDATE changes SET last = last + 1", _connection);
        _commit = new SqliteCommand("COMMIT", _connection);
        try
        {
            _connection.Open();
            // SQLite waits for another program that writes in steps of milliseconds; left to itself the driver looks again after 150.
            _connection.Run("PRAGMA busy_timeout=10000; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL");
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>What comes before the next write, in its transaction; tried again with the one after it if that fails.</summary>
    public void Begin(Action<SqliteConnection> first)
    {
        lock (_turn)
            _first = first;
    }

    /// <param name="write">Uses this connection only.</param>
    /// <param name="counts">The change number is raised by one if anything changed.</param>
    public T Commit<T>(Func<SqliteConnection, T> write, bool counts)
    {
        if (_turn.IsHeldByCurrentThread)
            throw new InvalidOperationException("a write began inside another one");
        TakeTurn();
        try
        {
            _begin.ExecuteNonQuery();
            _first?.Invoke(_connection);
            var before = raw.sqlite3_total_changes(_connection.Handle);
            var result = write(_connection);
            if (counts && raw.sqlite3_total_changes(_connection.Handle) != before && _count.ExecuteNonQuery() != 1)
                throw new InvalidOperationException("the database has no change number");
            _commit.ExecuteNonQuery();
            _first = null;
            return result;
        }
        finally
        {
            Undo();
            _turn.Exit();
        }
    }

    public void Dispose()
    {
        lock (_turn)
        {
            _begin.Dispose();
            _count.Dispose();
            _commit.Dispose();
            _connection.Dispose();
        }
    }

    // A wait may end long before its time where the clock is shifted: what counts is the time that has passed.
    private void TakeTurn()
    {
        for (var clock = Stopwatch.StartNew(); !_turn.TryEnter(s_patience);)
        {
            if (clock.Elapsed >= s_patience)
                throw new SqliteException($"another change has taken longer than {s_patience.TotalSeconds} s", raw.SQLITE_BUSY);
        }
    }

    // Also of a commit that failed; after some errors (a full disk) SQLite has ended the transaction by itself.
    private void Undo()
    {
        if (_connection.Handle is { } open && raw.sqlite3_get_autocommit(open) == 0)
            _connection.Run("ROLLBACK");
    }
}
