using Mcp.Daemon.Storage;
using Mcp.Model.Names;
using Microsoft.Data.Sqlite;

namespace Mcp.Agent.Registry;

public sealed record AllocatedPort(InstanceName Instance, int HostPort, int Inside);

/// <summary>Host ports given to instances.</summary>
public sealed class PortsTable(Database database)
{
    // What All read last, until the next change: every status asks for it, and nobody else writes this table.
    private readonly Lock _lock = new();
    private List<AllocatedPort>? _all;

    /// <summary>False: another instance has this host port.</summary>
    public bool TryTake(InstanceName instance, int hostPort, int inside)
    {
        using var held = _lock.EnterScope();
        try
        {
            database.Write(connection => connection.Run("""
                INSERT INTO ports (host_port, service, component, generation, inside)
                VALUES (@host, @service, @component, @generation, @inside)
                """,
                ("host", hostPort),
                ("service", instance.Service.Text),
                ("component", instance.Component.Text),
                ("generation", instance.Generation),
                ("inside", inside)));
            _all = null;
            return true;
        }
        catch (SqliteException e) when (e.SqliteErrorCode == 19)
        {
            return false;
        }
    }

    public IReadOnlyList<AllocatedPort> All()
    {
        using var held = _lock.EnterScope();
        if (_all is not null)
            return _all;
        using var connection = database.Connect();
        return _all = connection.Query("SELECT service, component, generation, host_port, inside FROM ports ORDER BY host_port",
            r =>
            {
                var instance = new InstanceName(Label.Parse(r.GetString(0)), Label.Parse(r.GetString(1)), r.GetInt32(2));
                return new AllocatedPort(instance, r.GetInt32(3), r.GetInt32(4));
            });
    }

    public List<AllocatedPort> Of(InstanceName instance) => [.. All().Where(p => p.Instance == instance)];

    public void Release(InstanceName instance)
    {
        using var held = _lock.EnterScope();
        database.Write(connection => connection.Run(
            "DELETE FROM ports WHERE service = @service AND component = @component AND generation = @generation",
            ("service", instance.Service.Text),
            ("component", instance.Component.Text),
            ("generation", instance.Generation)));
        _all = null;
    }

    public void ReleaseAll(Label service)
    {
        using var held = _lock.EnterScope();
        database.Write(connection => connection.Run("DELETE FROM ports WHERE service = @service", ("service", service.Text)));
        _all = null;
    }
}
