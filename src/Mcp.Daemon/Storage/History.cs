using System.Security.Cryptography;
using Mcp.Model.Histories;
using Microsoft.Data.Sqlite;

namespace Mcp.Daemon.Storage;

/// <summary>The epochs of a database, one for each run of its program, and where the change number stood between them. Always read from the
/// database: nothing of it is kept in memory.</summary>
public sealed class History
{
    /// <summary>Epochs; the oldest are forgotten.</summary>
    public const int Kept = 10_000;

    private readonly Database _database;

    private History(Database database) => _database = database;

    /// <summary>Begins a new epoch after the latest one: the program opens its database to work with it.
    /// Where nothing can be written now, it begins with the first change.</summary>
    public static History Begin(Database database)
    {
        var epoch = RandomNumberGenerator.GetHexString(Epoch.Length, lowercase: true);
        database.Begin(connection =>
        {
            connection.Run("""
                INSERT INTO epochs (epoch, parent, parent_change)
                SELECT @epoch, (SELECT epoch FROM epochs ORDER BY id DESC LIMIT 1), last FROM changes
                """,
                ("epoch", epoch));
            connection.Run("DELETE FROM epochs WHERE id <= (SELECT MAX(id) FROM epochs) - @kept", ("kept", Kept));
        });
        return new History(database);
    }

    /// <summary>For a contact. Null: none has begun yet, since nothing could be written.</summary>
    public Standing? Now()
    {
        using var connection = _database.Connect();
        return Read(connection);
    }

    /// <summary>As the connection sees it: in a write, without the change that is being made. Null: none has begun yet; never in a write.
    /// </summary>
    public static Standing? Read(SqliteConnection connection)
    {
        var epochs = connection.Query(
            "SELECT epoch, parent_change, last FROM epochs CROSS JOIN changes ORDER BY id DESC LIMIT @most",
            r => (Epoch: Epoch.Parse(r.GetString(0)), Began: r.GetInt64(1), Last: r.GetInt64(2)),
            ("most", Standing.MostAncestors + 1));
        // Each began where the one before ended.
        var ancestors = epochs.Zip(epochs.Skip(1), (later, earlier) => new EndedEpoch(earlier.Epoch, later.Began));
        return epochs is [var now, ..] ? new Standing(now.Epoch, now.Last, [.. ancestors]) : null;
    }
}
