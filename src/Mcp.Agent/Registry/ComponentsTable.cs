using System.Globalization;
using Mcp.Daemon.Storage;
using Mcp.Model;
using Mcp.Model.Definition;
using Mcp.Model.Instances;
using Mcp.Model.Names;
using Microsoft.Data.Sqlite;

namespace Mcp.Agent.Registry;

/// <summary>A component as the registry wants it.</summary>
public sealed record StoredComponent(Label Service, ComponentDefinition Definition, string SpecHash, int Generation, DesiredState Desired, DateTimeOffset Updated)
{
    public InstanceName Instance => new(Service, Definition.Name, Generation);
}

/// <summary>Services and components with their routes.</summary>
public sealed class ComponentsTable(Database database, TimeProvider time)
{
    /// <summary>Makes the registry's service exactly this one, each component at its generation, in one transaction.</summary>
    /// <exception cref="McpException">route.taken: a hostname belongs to another service.</exception>
    public void Store(ServiceDefinition service, IReadOnlyDictionary<string, int> generations)
    {
        using var connection = database.Connect();
        using var transaction = connection.BeginTransaction();
        var kept = Read(connection, service.Name).ToDictionary(c => c.Definition.Name);
        connection.Run("DELETE FROM services WHERE name = @name", ("name", service.Name.Text));
        connection.Run("INSERT INTO services (name, tier, node, active, updated_at) VALUES (@name, @tier, @node, @active, @now)",
            ("name", service.Name.Text), ("tier", Spellings.Tiers.Spell(service.Tier)), ("node", service.Node?.Text), ("active", service.Active), ("now", Now()));
        for (var i = 0; i < service.Components.Count; i++)
        {
            var component = service.Components[i];
            var desired = !service.Active ? DesiredState.Stopped : DesiredState.Running;
            if (!generations.TryGetValue(component.Name.Text, out var generation) && kept.TryGetValue(component.Name, out var old))
                (generation, desired) = (old.Generation, old.Desired);
            Insert(connection, service.Name, component, (i, generation, desired));
        }

        transaction.Commit();
    }

    public void Delete(Label service)
    {
        using var connection = database.Connect();
        connection.Run("DELETE FROM services WHERE name = @name", ("name", service.Text));
    }

    public void SetDesired(Label service, Label component, DesiredState desired)
    {
        using var connection = database.Connect();
        connection.Run("UPDATE components SET desired = @desired, updated_at = @now WHERE service = @service AND name = @component",
            ("desired", desired.ToString()), ("now", Now()), ("service", service.Text), ("component", component.Text));
    }

    public ServiceDefinition? Find(Label service)
    {
        using var connection = database.Connect();
        var head = connection.Query("SELECT tier, node, active FROM services WHERE name = @name",
            r => (r.GetString(0), r.IsDBNull(1) ? null : Label.Parse(r.GetString(1)), r.GetBoolean(2)), ("name", service.Text));
        return head is [var (tier, node, active)]
            ? new ServiceDefinition(service, Spellings.Tiers[tier], node, active, [.. Read(connection, service).Select(c => c.Definition)])
            : null;
    }

    /// <param name="service">Null: of all services.</param>
    public List<StoredComponent> List(Label? service = null)
    {
        using var connection = database.Connect();
        return Read(connection, service);
    }

    private string Now() => time.GetUtcNow().ToString("O", CultureInfo.InvariantCulture);

    private static List<StoredComponent> Read(SqliteConnection connection, Label? service) =>
        connection.Query("SELECT service, definition, spec_hash, generation, desired, updated_at FROM components WHERE @service IS NULL OR service = @service ORDER BY service, position",
            r => new StoredComponent(Label.Parse(r.GetString(0)), StoredDefinition.Read(r.GetString(1)), r.GetString(2), r.GetInt32(3), Enum.Parse<DesiredState>(r.GetString(4)), DateTimeOffset.Parse(r.GetString(5), CultureInfo.InvariantCulture)),
            ("service", service?.Text));

    private void Insert(SqliteConnection connection, Label service, ComponentDefinition component, (int Position, int Generation, DesiredState Desired) at)
    {
        connection.Run("""
            INSERT INTO components (service, name, position, image, definition, spec_hash, generation, desired, updated_at, runtime, memory_mb, vcpus)
            VALUES (@service, @name, @position, @image, @definition, @hash, @generation, @desired, @now, @runtime, @memory, @vcpus)
            """,
            ("service", service.Text), ("name", component.Name.Text), ("position", at.Position), ("image", component.Image.Text),
            ("definition", ServiceFileWriter.Write(component)), ("hash", SpecHash.Of(component)), ("generation", at.Generation), ("desired", at.Desired.ToString()), ("now", Now()),
            ("runtime", Spellings.Runtimes.Spell(component.Runtime)), ("memory", component.MemoryMb), ("vcpus", component.Vcpus));
        foreach (var route in component.Routes)
        {
            try
            {
                connection.Run("INSERT INTO routes (service, component, name, port, mode, hostname, public) VALUES (@service, @component, @name, @port, @mode, @hostname, @public)",
                    ("service", service.Text), ("component", component.Name.Text), ("name", route.Name.Text), ("port", route.Port), ("mode", Spellings.Modes.Spell(route.Mode)), ("hostname", route.Hostname?.Text), ("public", route.Public));
            }
            catch (SqliteException e) when (e.SqliteErrorCode == 19)
            {
                throw new McpException("route.taken", $"the hostname {route.Hostname} belongs to another service on this node", "mcp status shows whose it is; choose another hostname, or undeploy that service", e);
            }
        }
    }
}
