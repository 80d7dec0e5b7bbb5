using Mcp.Daemon.Storage;
using Mcp.Model.Errors;
using Mcp.Model.Names;

namespace Mcp.Agent.Registry;

/// <summary>The master's last request of each service, kept after an undeploy, too: what a broken network delivers late must not bring back
/// what was removed.</summary>
public sealed class SequencesTable(Database database)
{
    /// <summary>The caller holds the service's lock.</summary>
    /// <param name="sequence">0: not from the master; always in order.</param>
    /// <exception cref="McpException">request.superseded: a later request was served already.</exception>
    public void Pass(Label service, long sequence)
    {
        if (sequence == 0)
            return;
        var passed = database.Write(connection => connection.Run("""
            INSERT INTO sequences (service, last) VALUES (@service, @sequence)
            ON CONFLICT (service) DO UPDATE SET last = @sequence WHERE last <= @sequence
            """,
            ("service", service.Text),
            ("sequence", sequence)));
        if (passed == 0)
        {
            throw new McpException(
                ErrorCode.RequestSuperseded,
                $"this request for {service} is older than one that was served already",
                "it was delivered late; nothing was done");
        }
    }
}
