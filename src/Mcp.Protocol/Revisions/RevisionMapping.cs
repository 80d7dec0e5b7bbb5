using Google.Protobuf;
using Mcp.Model.Revisions;
using Mcp.Protocol.V1;

namespace Mcp.Protocol.Revisions;

/// <summary>Revisions on the wire: their bodies, in UTF-8.</summary>
public static class RevisionMapping
{
    public static ByteString ToWire(this Revision revision) => ByteString.CopyFromUtf8(revision.Body);

    /// <returns>Null: an older program, which sends none.</returns>
    public static Revision? Read(ByteString body) => body.IsEmpty ? null : Revision.Stored(body.ToStringUtf8());

    /// <summary>What the node has made of it.</summary>
    public static Revision Resolved(ServiceReply reply) => Read(reply.Resolved) ?? Read(reply);

    /// <summary>What was asked for; from an older program, made of its service file.</summary>
    public static Revision Read(ServiceReply reply) => Read(reply.Revision) ?? Revision.Legacy(reply.Definition);
}
