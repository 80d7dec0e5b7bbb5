using Google.Protobuf;
using Mcp.Daemon.Storage;
using Mcp.Model.Names;
using Mcp.Model.Placement;
using Mcp.Protocol.V1;
using Microsoft.Data.Sqlite;

namespace Mcp.Master.Store;

/// <param name="Address">address:port of its agent; empty: it has not joined yet.</param>
/// <param name="Key">SHA-256 of its certificate's public key; empty: it has not joined yet.</param>
/// <param name="Facts">Of its last heartbeat; null: none yet.</param>
public sealed record StoredNode(
    Label Name,
    string Address,
    IReadOnlyList<NodeRole> Roles,
    string Key,
    bool Cordoned,
    DateTimeOffset? LastSeen,
    NodeStatusReply? Facts);

public sealed class NodesTable(Database database, TimeProvider time)
{
    private const string Columns = "name, address, roles, key, cordoned, last_seen, facts";

    public List<StoredNode> List()
    {
        using var connection = database.Connect();
        return connection.Query($"SELECT {Columns} FROM nodes ORDER BY name", Read);
    }

    public StoredNode? Find(Label name)
    {
        using var connection = database.Connect();
        return connection.Query($"SELECT {Columns} FROM nodes WHERE name = @name", Read, ("name", name.Text)).FirstOrDefault();
    }

    /// <summary>A node that the configuration names; one that is known already keeps what it has.</summary>
    public void Expect(Label name, IEnumerable<NodeRole> roles)
    {
        database.Write(connection => connection.Run("""
            INSERT INTO nodes (name, address, roles, key, cordoned) VALUES (@name, '', @roles, '', 0)
            ON CONFLICT (name) DO UPDATE SET roles = @roles WHERE key = ''
            """,
            ("name", name.Text),
            ("roles", string.Join(',', NodeRoles.Spell(roles)))));
    }

    public void Joined(Label name, string address, IEnumerable<NodeRole> roles, string key)
    {
        database.Write(connection => connection.Run("""
            INSERT INTO nodes (name, address, roles, key, cordoned) VALUES (@name, @address, @roles, @key, 0)
            ON CONFLICT (name) DO UPDATE SET address = @address, roles = @roles, key = @key
            """,
            ("name", name.Text),
            ("address", address),
            ("roles", string.Join(',', NodeRoles.Spell(roles))),
            ("key", key)));
    }

    public void Rekey(Label name, string key)
    {
        database.Write(connection => connection.Run("UPDATE nodes SET key = @key WHERE name = @name", ("name", name.Text), ("key", key)));
    }

    public void Seen(Label name, NodeStatusReply facts, StatusReply status)
    {
        database.Note(connection => connection.Run(
            "UPDATE nodes SET last_seen = @now, facts = @facts, status = @status WHERE name = @name",
            ("name", name.Text),
            ("now", time.NowText()),
            ("facts", facts.ToByteArray()),
            ("status", status.ToByteArray())));
    }

    /// <summary>The services of a node as its last heartbeat told; null: none yet.</summary>
    public StatusReply? LastStatus(Label name)
    {
        using var connection = database.Connect();
        return Parsed(StatusReply.Parser, connection.Scalar("SELECT status FROM nodes WHERE name = @name", ("name", name.Text)));
    }

    public void Cordon(Label name, bool cordoned)
    {
        database.Write(connection => connection.Run(
            "UPDATE nodes SET cordoned = @cordoned WHERE name = @name",
            ("name", name.Text),
            ("cordoned", cordoned)));
    }

    public void Remove(Label name)
    {
        database.Write(connection => connection.Run("DELETE FROM nodes WHERE name = @name", ("name", name.Text)));
    }

    private static StoredNode Read(SqliteDataReader r) => new(
        Label.Parse(r.GetString(0)),
        r.GetString(1),
        NodeRoles.Parse(r.GetString(2).Split(',')),
        r.GetString(3),
        r.GetBoolean(4),
        r.IsDBNull(5) ? null : TimeText.ReadOrLongAgo(r.GetString(5)),
        Parsed(NodeStatusReply.Parser, r[6]));

    // What it told last is told again within seconds; until then one whose record is damaged has told nothing.
    private static T? Parsed<T>(MessageParser<T> parser, object? stored)
        where T : class, IMessage<T>
    {
        try
        {
            return stored is byte[] bytes ? parser.ParseFrom(bytes) : null;
        }
        catch (InvalidProtocolBufferException)
        {
            return null;
        }
    }
}
