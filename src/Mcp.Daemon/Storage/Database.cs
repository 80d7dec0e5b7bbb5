using Mcp.Model.Errors;
using Microsoft.Data.Sqlite;

namespace Mcp.Daemon.Storage;

/// <summary>A SQLite file: WAL, synchronous=FULL, foreign keys on. One connection writes; those that read are pooled,
/// so opening one costs microseconds.</summary>
public sealed class Database : IDisposable
{
    private readonly DatabaseOwner _owner;
    private readonly string _reading;
    private readonly Writer _writer;

    private Database(string file, DatabaseOwner owner, Writer writer)
    {
        (File, _owner) = (file, owner);
        _reading = new SqliteConnectionStringBuilder { DataSource = file, Mode = SqliteOpenMode.ReadOnly, DefaultTimeout = 10 }.ToString();
        _writer = writer;
    }

    public string File { get; }

    /// <summary>Opens and checks the file; makes it, readable by its owner only, if it is missing.</summary>
    /// <exception cref="McpException">registry.corrupt: the file is damaged; nothing was changed.
    /// registry.open: it cannot be opened.</exception>
    public static Database Open(string file, DatabaseOwner owner)
    {
        try
        {
            if (System.IO.File.Exists(file))
                RefuseDamaged(file, owner);
            else
                Make(file);
            return new Database(file, owner, new Writer(file));
        }
        catch (SqliteException e) when (e.SqliteErrorCode is 11 or 26)
        {
            throw Damaged(file, owner, e);
        }
        catch (Exception e) when (e is SqliteException or IOException or UnauthorizedAccessException)
        {
            throw new McpException(
                ErrorCode.RegistryOpen,
                $"cannot open {owner.Called} {file}: {e.Message}",
                "is the disk full, or the directory not writable?",
                e);
        }
    }

    /// <summary>To read; whatever would change something is refused by SQLite.</summary>
    public SqliteConnection Connect()
    {
        var connection = new SqliteConnection(_reading);
        connection.Open();
        return connection;
    }

    /// <summary>Changes what the program decides by, in one transaction; if anything changed, the change number is raised by one in it.
    /// Nobody else writes meanwhile. What throws changes nothing.</summary>
    /// <param name="change">May read, too. Uses this connection only, and calls no other write.</param>
    /// <returns>What <paramref name="change"/> returns.</returns>
    public T Write<T>(Func<SqliteConnection, T> change) => _writer.Commit(change, counts: true);

    /// <inheritdoc cref="Write{T}"/>
    public void Write(Action<SqliteConnection> change) => Write(connection =>
    {
        change(connection);
        return 0;
    });

    /// <summary>Writes down what was seen, told or remembered, in one transaction. It does not count as a change: a database without it
    /// decides the same. If what is remembered of another's change number counted, two programs in contact would raise each other's
    /// for ever.</summary>
    public T Note<T>(Func<SqliteConnection, T> note) => _writer.Commit(note, counts: false);

    /// <summary>Has something written down before all else that is written from now on, at once if the disk takes it.</summary>
    internal void Begin(Action<SqliteConnection> first)
    {
        _writer.Begin(first);
        try
        {
            Note(_ => 0);
        }
        catch (SqliteException)
        {
            // A full disk or another program's lock keeps nobody from starting: it comes before the first write that succeeds.
        }
    }

    /// <summary>A step of the schema: there need not be a change number yet.</summary>
    internal void Alter(Action<SqliteConnection> step) => _writer.Commit(
        connection =>
        {
            step(connection);
            return 0;
        },
        counts: false);

    /// <summary>The file was written by a newer program.</summary>
    internal McpException Newer(long version, int known) => new(
        ErrorCode.RegistryNewer,
        $"{_owner.Called} {File} has schema {version}, and this program knows up to {known}",
        $"install the newer {_owner.Program} again, or restore a backup from before the upgrade");

    public void Dispose()
    {
        using (var connection = new SqliteConnection(_reading))
            SqliteConnection.ClearPool(connection);
        // Last, so that the WAL is written back into the file: a connection for reading cannot.
        _writer.Dispose();
    }

    private static void Make(string file)
    {
        var forItsOwner = new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        };
        using var made = new FileStream(file, forItsOwner);
    }

    // Read-only and not pooled, so that a damaged file stays as it is, its WAL included.
    private static void RefuseDamaged(string file, DatabaseOwner owner)
    {
        var once = new SqliteConnectionStringBuilder { DataSource = file, Mode = SqliteOpenMode.ReadOnly, Pooling = false };
        using var connection = new SqliteConnection(once.ToString());
        connection.Open();
        if (connection.Scalar("PRAGMA quick_check(1)") is not "ok" and var answer)
            throw Damaged(file, owner, new InvalidDataException($"quick_check: {answer}"));
    }

    private static McpException Damaged(string file, DatabaseOwner owner, Exception cause) => new(
        ErrorCode.RegistryCorrupt,
        $"{owner.Called} {file} is damaged ({cause.Message}); nothing was changed",
        $"restore it from a backup, or move it away (mv {file} {file}.damaged) and {owner.Without}",
        cause);
}
