using System.Globalization;
using System.Reflection;
using Mcp.Model.Errors;
using Microsoft.Data.Sqlite;

namespace Mcp.Daemon.Storage;

/// <summary>One step of a schema: a numbered SQL file.</summary>
public sealed record Migration(int Number, string Name, string Sql)
{
    /// <summary>What SQL cannot do, after it and in the same transaction; null: nothing.</summary>
    public Action<SqliteConnection>? Then { get; init; }

    private const string Folder = "Migrations/";

    /// <summary>The migrations embedded in an assembly as Migrations/NNNN_what_it_does.sql, in order.</summary>
    public static IReadOnlyList<Migration> In(Assembly assembly)
    {
        var found = new List<Migration>();
        var resources = assembly.GetManifestResourceNames().Where(n => n.StartsWith(Folder, StringComparison.Ordinal));
        foreach (var resource in resources.Order(StringComparer.Ordinal))
        {
            var name = resource[Folder.Length..];
            using var reader = new StreamReader(assembly.GetManifestResourceStream(resource)!);
            found.Add(new Migration(int.Parse(name[..4], CultureInfo.InvariantCulture), name, reader.ReadToEnd()));
        }

        return found;
    }
}

/// <summary>Brings a database to the newest schema: each migration in one transaction, the number kept in PRAGMA user_version.</summary>
public static class Migrator
{
    /// <param name="upTo">Stop after this number; the newest by default. Tests make older databases with it.</param>
    /// <exception cref="McpException">registry.newer: the file was written by a newer program.</exception>
    public static void Migrate(Database database, IReadOnlyList<Migration> migrations, int upTo = int.MaxValue)
    {
        var version = Version(database);
        if (version > migrations[^1].Number)
            throw database.Newer(version, migrations[^1].Number);
        foreach (var migration in migrations.Where(m => m.Number > version && m.Number <= upTo))
            database.Alter(connection => Apply(connection, migration));
    }

    private static long Version(Database database)
    {
        using var connection = database.Connect();
        return (long)connection.Scalar("PRAGMA user_version")!;
    }

    private static void Apply(SqliteConnection connection, Migration migration)
    {
        connection.Run(migration.Sql);
        migration.Then?.Invoke(connection);
        connection.Run(string.Create(CultureInfo.InvariantCulture, $"PRAGMA user_version={migration.Number}"));
    }
}
