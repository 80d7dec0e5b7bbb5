using Mcp.Model.Histories;
using Microsoft.Data.Sqlite;

namespace Mcp.Daemon.Storage;

/// <summary>How far others' databases had come when they were last in contact: for each of their epochs the greatest change number.
/// </summary>
public sealed class PeersTable(Database database)
{
    /// <summary>Epochs of each peer; the oldest are forgotten.</summary>
    public const int Kept = 10_000;

    /// <summary>Before the contact is acted on. What is known already is not written again.</summary>
    public void Saw(string peer, Standing standing)
    {
        if (Greatest(peer, standing.Epoch) is { } greatest && greatest >= standing.Change)
            return;
        database.Note(connection =>
        {
            connection.Run("""
                INSERT INTO peers (peer, epoch, change) VALUES (@peer, @epoch, @change)
                ON CONFLICT (peer, epoch) DO UPDATE SET change = @change WHERE change < @change
                """,
                ("peer", peer),
                ("epoch", standing.Epoch.Text),
                ("change", standing.Change));
            return connection.Run("""
                DELETE FROM peers WHERE peer = @peer
                AND id <= (SELECT id FROM peers WHERE peer = @peer ORDER BY id DESC LIMIT 1 OFFSET @kept)
                """,
                ("peer", peer),
                ("kept", Kept));
        });
    }

    /// <summary>Null: that epoch of it was not seen.</summary>
    public long? Greatest(string peer, Epoch epoch)
    {
        using var connection = database.Connect();
        return (long?)connection.Scalar(
            "SELECT change FROM peers WHERE peer = @peer AND epoch = @epoch",
            ("peer", peer),
            ("epoch", epoch.Text));
    }

    /// <summary>It is gone for good; one of that name that comes later is another.</summary>
    public static void Forget(SqliteConnection connection, string peer) =>
        connection.Run("DELETE FROM peers WHERE peer = @peer", ("peer", peer));
}
