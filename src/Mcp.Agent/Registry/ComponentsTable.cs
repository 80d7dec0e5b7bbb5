using Mcp.Daemon.Storage;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Instances;
using Mcp.Model.Names;
using Microsoft.Data.Sqlite;
using Route = Mcp.Model.Definition.Route;

namespace Mcp.Agent.Registry;

/// <summary>Services and components with their routes.</summary>
public sealed class ComponentsTable(Database database, TimeProvider time)
{
    private const string Columns = "service, name, definition, spec_hash, generation, desired, image, runtime, updated_at";

    /// <summary>Makes the registry's service exactly this one, with these rows, in one transaction.</summary>
    /// <param name="service">Its components do not count.</param>
    /// <param name="holds">Whoever waits at the node proxy for the service goes on waiting.</param>
    /// <exception cref="McpException">route.taken: a hostname belongs to another service.</exception>
    public void Store(ServiceDefinition service, IReadOnlyList<ComponentRow> rows, bool holds = false) => database.Write(connection =>
    {
        var there = Read(connection, service.Name).ToDictionary(c => c.Row.Name, c => c.Row);
        connection.Run("""
            INSERT INTO services (name, tier, node, active, updated_at) VALUES (@name, @tier, @node, @active, @now)
            ON CONFLICT (name) DO UPDATE SET tier = @tier, node = @node, active = @active, updated_at = @now
            """,
            ("name", service.Name.Text),
            ("tier", Spellings.Tiers.Spell(service.Tier)),
            ("node", service.Node?.Text),
            ("active", service.Active),
            ("now", time.NowText()));
        // First all that go, so that a hostname can change its component.
        foreach (var old in there.Values.Where(old => !rows.Any(r => r.Name == old.Name && IsSame(r, old))))
        {
            connection.Run(
                "DELETE FROM components WHERE service = @service AND name = @name",
                ("service", service.Name.Text),
                ("name", old.Name));
        }

        for (var i = 0; i < rows.Count; i++)
        {
            if (there.TryGetValue(rows[i].Name, out var old) && IsSame(rows[i], old))
            {
                connection.Run("UPDATE components SET position = @position, desired = @desired WHERE service = @service AND name = @name",
                    ("position", i), ("desired", rows[i].Desired), ("service", service.Name.Text), ("name", rows[i].Name));
            }
            else
            {
                Insert(connection, service.Name, rows[i], i);
            }
        }

        if (!holds)
            connection.Run("DELETE FROM holds WHERE service = @service", ("service", service.Name.Text));
    });

    public void Delete(Label service) => database.Write(connection =>
    {
        // The numbers that were given stay given.
        connection.Run("""
            INSERT INTO generations (service, component, last) SELECT service, name, generation FROM components WHERE service = @name
            ON CONFLICT (service, component) DO UPDATE SET last = MAX(last, excluded.last)
            """, ("name", service.Text));
        connection.Run("DELETE FROM services WHERE name = @name", ("name", service.Text));
        connection.Run("DELETE FROM holds WHERE service = @name", ("name", service.Text));
        connection.Run("DELETE FROM kept_images WHERE service = @name", ("name", service.Text));
    });

    public void SetDesired(Label service, Label component, DesiredState desired)
    {
        database.Write(connection => connection.Run(
            "UPDATE components SET desired = @desired, updated_at = @now WHERE service = @service AND name = @component",
            ("desired", desired.ToString()),
            ("now", time.NowText()),
            ("service", service.Text),
            ("component", component.Text)));
    }

    /// <summary>With what this version cannot read of it (<see cref="ServiceDefinition.UnreadKeys"/>).</summary>
    public ServiceDefinition? Find(Label service)
    {
        using var connection = database.Connect();
        return Head(connection, service) is { } head
            ? head with { Components = [.. Read(connection, service).Select(c => c.Definition)] }
            : null;
    }

    /// <param name="service">Null: of all services.</param>
    public List<StoredComponent> List(Label? service = null)
    {
        using var connection = database.Connect();
        return Read(connection, service);
    }

    /// <summary>Whether the two were deployed as components of one service that write to one directory, as files could say before
    /// <c>:shared</c>. Today's rules refuse that, so only what an older version took is stored so.</summary>
    public bool AreTogether(InstanceName one, InstanceName other)
    {
        if (one.Service != other.Service || one.Component == other.Component)
            return false;
        var stored = List(one.Service);
        return stored.Find(c => c.Instance == one) is { } a && stored.Find(c => c.Instance == other) is { } b
            && a.Definition.Volumes.Any(v => v is { ReadOnly: false, IsNamed: false }
                && b.Definition.Volumes.Any(w => w is { ReadOnly: false, IsNamed: false } && VolumePaths.Overlap(v.Source, w.Source)));
    }

    private static bool IsSame(ComponentRow one, ComponentRow other) =>
        one.Definition == other.Definition && one.SpecHash == other.SpecHash && one.Generation == other.Generation;

    private static ServiceDefinition? Head(SqliteConnection connection, Label service) => connection.Query(
        "SELECT tier, node, active FROM services WHERE name = @name",
        r => new ServiceDefinition
        {
            Name = service,
            Tier = Spellings.Tiers.TryGetValue(r.GetString(0), out var tier) ? tier : Tier.Worker,
            Node = !r.IsDBNull(1) && Label.TryParse(r.GetString(1), out var node) ? node : null,
            Active = r.GetBoolean(2),
        },
        ("name", service.Text)).FirstOrDefault();

    private static List<StoredComponent> Read(SqliteConnection connection, Label? service) =>
        [.. connection.Query($"SELECT {Columns} FROM components WHERE @service IS NULL OR service = @service ORDER BY service, position",
            r => Read(connection, r), ("service", service?.Text)).OfType<StoredComponent>()];

    // Null: a row that no version of mcp wrote; it must not keep the others from being read.
    private static StoredComponent? Read(SqliteConnection connection, SqliteDataReader r)
    {
        if (!Label.TryParse(r.GetString(0), out var service) || !Label.TryParse(r.GetString(1), out _))
            return null;
        var row = new ComponentRow(
            r.GetString(1),
            r.GetString(2),
            r.GetString(3),
            Number(r, 4),
            r.GetString(5),
            r.GetString(6),
            r.GetString(7));
        var (definition, trouble) = StoredDefinition.Read(row, () => Routes(connection, row.Name, service));
        return new StoredComponent(service, definition, row, TimeText.ReadOrLongAgo(r.GetString(8)), trouble);
    }

    // 0 where it is damaged: there is no such generation, so whatever runs of the component is left over.
    private static int Number(SqliteDataReader r, int column) =>
        r.GetFieldType(column) == typeof(long) && r.GetInt64(column) is > 0 and <= InstanceName.MostGenerations and var number
            ? (int)number
            : 0;

    private static List<Route> Routes(SqliteConnection connection, string component, Label service) =>
        connection.QueryEach("SELECT name, port, mode, hostname, public FROM routes WHERE service = @service AND component = @component",
            r => new Route
            {
                Name = Label.Parse(r.GetString(0)),
                Port = r.GetInt32(1),
                Mode = Spellings.Modes.TryGetValue(r.GetString(2), out var mode) ? mode : RouteMode.L7,
                Hostname = !r.IsDBNull(3) && Hostname.TryParse(r.GetString(3), out var hostname) ? hostname : null,
                Public = r.GetBoolean(4),
            },
            ("service", service.Text), ("component", component));

    private void Insert(SqliteConnection connection, Label service, ComponentRow row, int position)
    {
        var (component, _) = StoredDefinition.Read(row, () => []);
        connection.Run("""
            INSERT INTO components
            (service, name, position, image, definition, spec_hash, generation, desired, updated_at, runtime, memory_mb, vcpus)
            VALUES (@service, @name, @position, @image, @definition, @hash, @generation, @desired, @now, @runtime, @memory, @vcpus)
            """,
            ("service", service.Text), ("name", row.Name), ("position", position), ("image", row.Image), ("definition", row.Definition),
            ("hash", row.SpecHash), ("generation", row.Generation), ("desired", row.Desired), ("now", time.NowText()),
            ("runtime", row.Runtime), ("memory", component.MemoryMb), ("vcpus", component.Vcpus));
        connection.Run(
            "INSERT INTO generations (service, component, last) VALUES (@service, @name, @generation) ON CONFLICT (service, component) DO "
                + "UPDATE SET last = MAX(last, @generation)",
            ("service", service.Text),
            ("name", row.Name),
            ("generation", row.Generation));
        foreach (var route in component.Routes)
            Insert(connection, service, component.Name, route);
    }

    private static void Insert(SqliteConnection connection, Label service, Label component, Route route)
    {
        try
        {
            connection.Run(
                "INSERT INTO routes (service, component, name, port, mode, hostname, public) VALUES (@service, @component, @name, @port, "
                    + "@mode, @hostname, @public)",
                ("service", service.Text),
                ("component", component.Text),
                ("name", route.Name.Text),
                ("port", route.Port),
                ("mode", Spellings.Modes.Spell(route.Mode)),
                ("hostname", route.Hostname?.Text),
                ("public", route.Public));
        }
        catch (SqliteException e) when (e.SqliteErrorCode == 19)
        {
            throw new McpException(
                ErrorCode.RouteTaken,
                $"the hostname {route.Hostname} belongs to another service on this node",
                "mcp status shows whose it is; choose another hostname, or undeploy that service",
                e);
        }
    }
}
