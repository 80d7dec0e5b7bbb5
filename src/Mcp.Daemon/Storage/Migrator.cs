using System.Globalization;
using System.Reflection;
using Mcp.Model.Errors;
using Microsoft.Data.Sqlite;

namespace Mcp.Daemon.Storage;

/// <summary>Brings a database to the newest schema: numbered SQL files, each in one transaction, the number kept in PRAGMA user_version.</summary>
public sealed record Migration(int Number, string Name, string Sql)
{
    /// <summary>The migrations embedded in an assembly as Migrations/NNNN_what_it_does.sql, in order.</summary>
    public static IReadOnlyList<Migration> In(Assembly assembly)
    {
        var found = new List<Migration>();
        foreach (var resource in assembly.GetManifestResourceNames().Where(n => n.StartsWith("Migrations/", StringComparison.Ordinal)).Order(StringComparer.Ordinal))
        {
            var name = resource["Migrations/".Length..];
            using var reader = new StreamReader(assembly.GetManifestResourceStream(resource)!);
            found.Add(new Migration(int.Parse(name[..4], CultureInfo.InvariantCulture), name, reader.ReadToEnd()));
        }

        return found;
    }
}

public static class Migrator
{
    /// <param name="upTo">Stop after this number; the newest by default. Tests make older databases with it.</param>
    /// <exception cref="McpException">registry.newer: the file was written by a newer program.</exception>
    public static void Migrate(Database database, IReadOnlyList<Migration> migrations, int upTo = int.MaxValue)
    {
        using var connection = database.Connect();
        var version = (long)connection.Scalar("PRAGMA user_version")!;
        if (version > migrations[^1].Number)
            throw database.Newer(version, migrations[^1].Number);
        foreach (var migration in migrations.Where(m => m.Number > version && m.Number <= upTo))
            Apply(connection, migration);
    }

    private static void Apply(SqliteConnection connection, Migration migration)
    {
        using var transaction = connection.BeginTransaction();
        connection.Run(migration.Sql);
        connection.Run(string.Create(CultureInfo.InvariantCulture, $"PRAGMA user_version={migration.Number}"));
        transaction.Commit();
    }
}
