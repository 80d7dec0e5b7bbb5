using Mcp.Daemon.Storage;
using Mcp.Model.Names;
using Mcp.Model.Routes;

namespace Mcp.Agent.Registry;

/// <summary>What a public CA was asked for, so that its limits are kept over restarts, and over undeploys.</summary>
public sealed class IssuancesTable(Database database, TimeProvider time)
{
    public List<IssuanceAttempt> Of(Hostname hostname)
    {
        using var connection = database.Connect();
        return connection.Query(
            "SELECT time, issued FROM issuances WHERE hostname = @hostname",
            r => new IssuanceAttempt(TimeText.Read(r.GetString(0)), r.GetBoolean(1)),
            ("hostname", hostname.Text));
    }

    /// <summary>Before the CA is asked, as a failure: a kill in the middle counts as one.</summary>
    public long Begin(Hostname hostname) => database.Write(connection =>
    {
        var now = time.GetUtcNow();
        var old = now - IssuancePace.Memory;
        connection.Run("DELETE FROM issuances WHERE time < @old", ("old", old.ToText()));
        return (long)connection.Scalar(
            "INSERT INTO issuances (hostname, time, issued) VALUES (@hostname, @now, 0) RETURNING id",
            ("hostname", hostname.Text),
            ("now", now.ToText()))!;
    });

    public void Issued(long attempt)
    {
        database.Write(connection => connection.Run("UPDATE issuances SET issued = 1 WHERE id = @id", ("id", attempt)));
    }
}
