using Mcp.Model.Errors;
using Microsoft.Data.Sqlite;

namespace Mcp.Daemon.Storage;

/// <summary>One statement, parameters by name, rows mapped by hand.</summary>
public static class Sql
{
    public static int Run(this SqliteConnection connection, string sql, params ReadOnlySpan<(string Name, object? Value)> parameters)
    {
        using var command = Command(connection, sql, parameters);
        return command.ExecuteNonQuery();
    }

    public static object? Scalar(this SqliteConnection connection, string sql, params ReadOnlySpan<(string Name, object? Value)> parameters)
    {
        using var command = Command(connection, sql, parameters);
        return command.ExecuteScalar() is var value and not DBNull ? value : null;
    }

    public static List<T> Query<T>(
        this SqliteConnection connection,
        string sql,
        Func<SqliteDataReader, T> map,
        params ReadOnlySpan<(string Name, object? Value)> parameters)
    {
        using var command = Command(connection, sql, parameters);
        using var reader = command.ExecuteReader();
        var rows = new List<T>();
        while (reader.Read())
            rows.Add(map(reader));
        return rows;
    }

    /// <summary>The same, without the rows that no version of mcp wrote: a value in one of them is damaged, and that must stop nothing but
    /// itself.
    /// </summary>
    public static List<T> QueryEach<T>(
        this SqliteConnection connection,
        string sql,
        Func<SqliteDataReader, T> map,
        params ReadOnlySpan<(string Name, object? Value)> parameters)
        where T : class => [.. connection.Query(sql, r => TryMap(r, map), parameters).OfType<T>()];

    private static T? TryMap<T>(SqliteDataReader row, Func<SqliteDataReader, T> map)
        where T : class
    {
        try
        {
            return map(row);
        }
        catch (Exception e) when (e is FormatException
            or OverflowException
            or InvalidCastException
            or InvalidOperationException
            or McpException)
        {
            return null;
        }
    }

#pragma warning disable CA2100 // every caller passes a constant; values are parameters
    private static SqliteCommand Command(SqliteConnection connection, string sql, ReadOnlySpan<(string Name, object? Value)> parameters)
    {
        var command = connection.CreateCommand();
        command.CommandText = sql;
        foreach (var (name, value) in parameters)
            command.Parameters.AddWithValue("@" + name, value ?? DBNull.Value);
        return command;
    }
#pragma warning restore CA2100
}
