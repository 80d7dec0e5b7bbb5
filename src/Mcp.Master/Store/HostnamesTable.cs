using Mcp.Daemon.Storage;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Microsoft.Data.Sqlite;

namespace Mcp.Master.Store;

/// <summary>Which service each hostname belongs to: one, from before its first deploy touches anything until it is undeployed.</summary>
public sealed class HostnamesTable(Database database)
{
    /// <exception cref="McpException">route.taken: one of the service's hostnames belongs to another.</exception>
    public void Check(ServiceDefinition service)
    {
        using var connection = database.Connect();
        Check(connection, service);
    }

    /// <summary>Those that the service has go on belonging to it, beside these.</summary>
    /// <exception cref="McpException">route.taken</exception>
    internal static void Claim(SqliteConnection connection, ServiceDefinition service)
    {
        foreach (var hostname in Of(service))
        {
            connection.Run(
                "INSERT INTO hostnames (hostname, service) VALUES (@hostname, @service) ON CONFLICT (hostname) DO NOTHING",
                ("hostname", hostname.Text),
                ("service", service.Name.Text));
        }

        Check(connection, service);
    }

    /// <summary>Exactly these, and none that it had before.</summary>
    /// <exception cref="McpException">route.taken</exception>
    internal static void Settle(SqliteConnection connection, ServiceDefinition service)
    {
        connection.Run("DELETE FROM hostnames WHERE service = @service", ("service", service.Name.Text));
        Claim(connection, service);
    }

    private static void Check(SqliteConnection connection, ServiceDefinition service)
    {
        foreach (var hostname in Of(service))
        {
            if (connection.Scalar(
                "SELECT service FROM hostnames WHERE hostname = @hostname AND service <> @service",
                ("hostname", hostname.Text),
                ("service", service.Name.Text)) is string other)
            {
                throw new McpException(
                    ErrorCode.RouteTaken,
                    $"{hostname} belongs to the service {other}",
                    "undeploy that one first, or take another hostname");
            }
        }
    }

    private static IEnumerable<Hostname> Of(ServiceDefinition service) =>
        service.Components.SelectMany(c => c.Routes).Select(r => r.Hostname).OfType<Hostname>();
}
