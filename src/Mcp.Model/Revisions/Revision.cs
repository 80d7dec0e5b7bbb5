using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Names;

namespace Mcp.Model.Revisions;

/// <summary>A service's definition that was asked for: immutable, with a name of its own, as it is stored and sent. It is read once, when
/// it is first needed, with the rules of its day; what cannot be read is kept as it is, and concerns its own service and no
/// other.</summary>
public sealed class Revision : IEquatable<Revision>
{
    // Null: it is damaged, or has values that this version does not know.
    private readonly Lazy<ServiceDefinition?> _service;

    private Revision(string id, string body)
    {
        (Id, Body) = (id, body);
        _service = new Lazy<ServiceDefinition?>(Read);
    }

    /// <summary>See <see cref="RevisionId"/>.</summary>
    public string Id { get; }

    /// <summary>As <see cref="RevisionCodec"/> has written it; whatever was stored, where that is damaged.</summary>
    public string Body { get; }

    public static Revision Of(ServiceDefinition service) => Stored(RevisionCodec.Write(service));

    /// <param name="body">As it was stored or sent, by whatever version.</param>
    public static Revision Stored(string body) => new(RevisionId.Of(body), body);

    /// <param name="id">The name that it was given.</param>
    /// <inheritdoc cref="Stored(string)"/>
    public static Revision Stored(string id, string body) => new(id, body);

    /// <summary>From what versions before 0.3 stored and sent: a service file. What cannot be read stays as it is.</summary>
    public static Revision Legacy(string toml)
    {
        try
        {
            return Of(RevisionCodec.LegacyService(toml));
        }
        catch (McpException)
        {
            return Stored(toml);
        }
    }

    /// <returns>Null: damaged, or of a newer version that has values this one does not know.</returns>
    public ServiceDefinition? TryRead() => _service.Value;

    /// <returns>Null: as with <see cref="TryRead()"/>, or it is another service's.</returns>
    public ServiceDefinition? TryRead(Label service) => _service.Value is { } read && read.Name == service ? read : null;

    /// <exception cref="McpException">definition.unreadable</exception>
    public ServiceDefinition Read(Label service) => TryRead(service) ?? throw Unreadable(service);

    /// <summary>For who is about to have something made of it: nothing of it may be unknown.</summary>
    /// <exception cref="McpException">definition.unreadable. definition.newer: names the keys.</exception>
    public ServiceDefinition ReadWhole(Label service)
    {
        var read = Read(service);
        return read.UnreadKeys.Count == 0
            ? read
            : throw new McpException(
                ErrorCode.DefinitionNewer,
                $"the stored definition of {service} has keys that this version does not know: {string.Join(", ", read.UnreadKeys)}",
                "it stays as it is; install the version that deployed it, or deploy its file again");
    }

    /// <summary>The same was asked for, whichever versions have written the two.</summary>
    public bool IsSame(Revision other) =>
        Equals(other)
            || (_service.Value is { } one
                && other._service.Value is { } two
                && RevisionCodec.Write(one.AsAsked) == RevisionCodec.Write(two.AsAsked));

    /// <summary>Without what a node has added (<see cref="ServiceDefinition.AsAsked"/>).</summary>
    public Revision AsAsked() => _service.Value is { } service && service.Components.Any(c => c.Volumes.Any(v => v.FromImage))
        ? Of(service.AsAsked)
        : this;

    public bool Equals(Revision? other) => other is not null && other.Body == Body;

    public override bool Equals(object? obj) => Equals(obj as Revision);

    public override int GetHashCode() => Id.GetHashCode(StringComparison.Ordinal);

    public override string ToString() => Id;

    public static McpException Unreadable(Label service) => new(
        ErrorCode.DefinitionUnreadable,
        $"the stored definition of {service} cannot be read by this version",
        "what runs is left as it is; install the version that deployed it, deploy its file again, or undeploy it");

    private ServiceDefinition? Read()
    {
        try
        {
            return RevisionCodec.Service(Body, out var hasUnreadable) is var read && !hasUnreadable ? read : null;
        }
        catch (McpException)
        {
            return null;
        }
    }
}
