using Mcp.Daemon.Operations;
using Mcp.Daemon.Storage;
using Mcp.Model.Names;
using Mcp.Model.Revisions;
using Microsoft.Data.Sqlite;

namespace Mcp.Daemon.Revisions;

/// <summary>Which revision was put to work on each service, when, by whom, and what came of it. A release begins with the journal of its
/// operation and ends with it, each in one transaction: no kill leaves one that is neither under way nor over.</summary>
public sealed class ReleasesTable(Database database, TimeProvider time)
{
    /// <summary>Of each service, the newest.</summary>
    public const int KeptOfEach = 50;

    // A greater one is damaged.
    private const long Most = 1_000_000_000_000;

    /// <summary>Of all services, the newest: the numbers of one that has none among them begin again.</summary>
    public const int Kept = 10_000;

    /// <summary>A release with the next number begins, and its operation is in the journal.</summary>
    /// <param name="by">Who asked for it.</param>
    /// <param name="atLeast">Its number where the service's own next one is smaller: the service has had others elsewhere.</param>
    /// <param name="entry">Of the operation, given the release's number.</param>
    public JournalEntry Begin(
        Label service,
        Revision revision,
        string by,
        long atLeast,
        Func<long, JournalEntry> entry) => database.Write(connection =>
    {
        var now = time.NowText();
        var last = connection.Scalar(
            "SELECT MAX(number) FROM releases WHERE service = @service AND number < @most",
            ("service", service.Text),
            ("most", Most)) as long? ?? 0;
        var number = Math.Max(last + 1, Math.Min(atLeast, Most));
        var begun = entry(number);
        OperationsTable.Save(connection, begun, now);
        RevisionsTable.Keep(connection, revision, now);
        connection.Run(
            """
            INSERT INTO releases (service, number, revision, operation, began_at, made_by)
            VALUES (@service, @number, @revision, @operation, @now, @by)
            """,
            ("service", service.Text),
            ("number", number),
            ("revision", revision.Id),
            ("operation", begun.Id.ToString()),
            ("now", now),
            ("by", by));
        Forget(connection, service, number);
        return begun;
    });

    /// <summary>The node has given it a greater number, after releases of which this database knows nothing.</summary>
    public void Renumber(Label service, long number, long greater) => database.Write(connection => connection.Run(
        "UPDATE releases SET number = @greater WHERE service = @service AND number = @number",
        ("service", service.Text),
        ("number", number),
        ("greater", greater)));

    /// <summary>The node had done it after all, although nobody heard of it.</summary>
    public void TookEffect(Label service, Revision revision) => database.Write(connection => connection.Run(
        """
        UPDATE releases SET outcome = 'done', why = '' WHERE outcome = 'failed' AND revision = @revision
        AND id = (SELECT id FROM releases WHERE service = @service ORDER BY number DESC LIMIT 1)
        """,
        ("service", service.Text),
        ("revision", revision.Id)));

    /// <summary>Nothing had to be done, so there was none.</summary>
    public void Drop(Label service, long number) => database.Write(connection => connection.Run(
        "DELETE FROM releases WHERE service = @service AND number = @number",
        ("service", service.Text),
        ("number", number)));

    /// <summary>The newest first.</summary>
    public List<Release> Of(Label service)
    {
        using var connection = database.Connect();
        return connection.Query(
            """
            SELECT service, number, revision, began_at, ended_at, made_by, outcome, why FROM releases
            WHERE service = @service ORDER BY number DESC
            """,
            Read,
            ("service", service.Text));
    }

    /// <summary>0: it has had none.</summary>
    public long Last(Label service) => Of(service) is [var last, ..] ? last.Number : 0;

    /// <returns>Null: it is forgotten.</returns>
    public Revision? Revision(string id)
    {
        using var connection = database.Connect();
        return RevisionsTable.Find(connection, id);
    }

    /// <summary>In the write that closes the journal of the operation. One that is no release ends without a trace.</summary>
    internal static void End(SqliteConnection connection, Guid operation, Outcome outcome, string why, string now) => connection.Run(
        "UPDATE releases SET ended_at = @now, outcome = @outcome, why = @why WHERE operation = @operation AND outcome IS NULL",
        ("operation", operation.ToString()),
        ("outcome", outcome.ToString().ToLowerInvariant()),
        ("why", why),
        ("now", now));

    private static void Forget(SqliteConnection connection, Label service, long number)
    {
        connection.Run(
            "DELETE FROM releases WHERE service = @service AND number <= @oldest",
            ("service", service.Text),
            ("oldest", number - KeptOfEach));
        connection.Run("DELETE FROM releases WHERE id <= (SELECT MAX(id) FROM releases) - @kept", ("kept", Kept));
        connection.Run("DELETE FROM revisions WHERE id NOT IN (SELECT id FROM revisions_in_use)");
    }

    private static Release Read(SqliteDataReader r) => new()
    {
        Service = Label.Parse(r.GetString(0)),
        Number = r.GetInt64(1),
        Revision = r.GetString(2),
        Began = Time(r.GetString(3)),
        Ended = r.IsDBNull(4) ? null : Time(r.GetString(4)),
        By = r.GetString(5),
        Outcome = r.IsDBNull(6) ? null : Enum.Parse<Outcome>(r.GetString(6), ignoreCase: true),
        Why = r.GetString(7),
    };

    private static DateTimeOffset Time(string text) => TimeText.Read(text);

}
