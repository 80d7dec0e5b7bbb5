using Mcp.Daemon.Storage;
using Mcp.Model.Errors;
using Mcp.Model.Histories;
using Mcp.Model.Names;
using Microsoft.Data.Sqlite;

namespace Mcp.Agent.Registry;

/// <summary>The master's last request of each service, kept after an undeploy, too: what a broken network delivers late must not bring back
/// what was removed. The master's epochs are kept in the order in which this agent learned of them, each after those before it.</summary>
public sealed class SequencesTable(Database database)
{
    /// <summary>Of the master's epochs; the oldest are forgotten, and count as older than all others.</summary>
    public const int Kept = 10_000;

    /// <summary>The caller holds the service's lock.</summary>
    /// <param name="number">Null: not from the master; always in order.</param>
    /// <exception cref="McpException">request.superseded: a later request was served already.</exception>
    public void Pass(Label service, RequestNumber? number)
    {
        if (number is null || database.Write(connection => TryPass(connection, service, number)))
            return;
        throw new McpException(
            ErrorCode.RequestSuperseded,
            $"this request for {service} is older than one that was served already",
            "it was delivered late; nothing was done");
    }

    /// <summary>At a contact without a request: its epoch takes its place in the order.</summary>
    public void Learn(Standing master)
    {
        if (!Knows(master.Epoch))
            database.Note(connection => Learn(connection, master));
    }

    private static bool TryPass(SqliteConnection connection, Label service, RequestNumber number)
    {
        var place = number.Standing is { } master ? Learn(connection, master) : 0;
        if (Find(connection, service)?.Supersedes(number, place) == true)
            return false;
        connection.Run("""
            INSERT INTO sequences (service, last, epoch, change) VALUES (@service, @sequence, @epoch, @change)
            ON CONFLICT (service) DO UPDATE SET last = MAX(last, @sequence), epoch = @epoch, change = @change
            """,
            ("service", service.Text),
            ("sequence", number.Sequence),
            ("epoch", number.Standing?.Epoch.Text ?? ""),
            ("change", number.Standing?.Change ?? 0));
        return true;
    }

    private static ServedRequest? Find(SqliteConnection connection, Label service) => connection.Query(
        """
        SELECT last, CASE WHEN sequences.epoch = '' THEN NULL ELSE COALESCE(id, 0) END, change
        FROM sequences LEFT JOIN master_epochs ON master_epochs.epoch = sequences.epoch WHERE service = @service
        """,
        r => new ServedRequest(r.GetInt64(0), r.IsDBNull(1) ? null : r.GetInt64(1), r.GetInt64(2)),
        ("service", service.Text)).FirstOrDefault();

    // The place of its epoch.
    private static long Learn(SqliteConnection connection, Standing master)
    {
        if (PlaceOf(connection, master.Epoch) is { } known)
            return known;
        foreach (var epoch in master.Epochs)
            connection.Run("INSERT OR IGNORE INTO master_epochs (epoch) VALUES (@epoch)", ("epoch", epoch.Text));
        connection.Run("DELETE FROM master_epochs WHERE id <= (SELECT MAX(id) FROM master_epochs) - @kept", ("kept", Kept));
        return PlaceOf(connection, master.Epoch)!.Value;
    }

    private static long? PlaceOf(SqliteConnection connection, Epoch epoch) =>
        (long?)connection.Scalar("SELECT id FROM master_epochs WHERE epoch = @epoch", ("epoch", epoch.Text));

    private bool Knows(Epoch epoch)
    {
        using var connection = database.Connect();
        return PlaceOf(connection, epoch) is not null;
    }
}
