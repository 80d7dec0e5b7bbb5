using Mcp.Daemon.Storage;
using Mcp.Model.Placement;

namespace Mcp.Master.Store;

/// <param name="UsedBy">The node it was used for; null: not yet.</param>
/// <param name="UsedKey">That node's key: with it, and only with it, it may be used again,
/// for a node that died before it had the answer.</param>
public sealed record StoredToken(IReadOnlyList<NodeRole> Roles, DateTimeOffset Expires, string? UsedBy, string? UsedKey);

/// <summary>Join tokens by the hash of their secret.</summary>
public sealed class JoinTokensTable(Database database, TimeProvider time)
{
    public void Add(string hash, IEnumerable<NodeRole> roles, DateTimeOffset expires) => database.Write(connection =>
    {
        var now = time.NowText();
        connection.Run("DELETE FROM join_tokens WHERE expires_at < @now", ("now", now));
        connection.Run("INSERT INTO join_tokens (hash, roles, expires_at) VALUES (@hash, @roles, @expires)",
            ("hash", hash), ("roles", string.Join(',', NodeRoles.Spell(roles))), ("expires", expires.ToText()));
    });

    public StoredToken? Find(string hash)
    {
        using var connection = database.Connect();
        return connection.Query("SELECT roles, expires_at, used_by, used_key FROM join_tokens WHERE hash = @hash",
            r => new StoredToken(
                NodeRoles.Parse(r.GetString(0).Split(',')),
                TimeText.Read(r.GetString(1)),
                r.IsDBNull(2) ? null : r.GetString(2),
                r.IsDBNull(3) ? null : r.GetString(3)),
            ("hash", hash)).FirstOrDefault();
    }

    /// <summary>False: another key has used it.</summary>
    public bool TryUse(string hash, string node, string key)
    {
        var used = database.Write(connection => connection.Run("""
            UPDATE join_tokens SET used_by = @node, used_key = @key
            WHERE hash = @hash AND (used_by IS NULL OR (used_by = @node AND used_key = @key))
            """,
            ("hash", hash),
            ("node", node),
            ("key", key)));
        return used == 1;
    }
}
