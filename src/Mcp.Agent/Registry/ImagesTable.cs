using Mcp.Daemon.Storage;
using Mcp.Model.Images;
using Mcp.Model.Names;
using Microsoft.Data.Sqlite;

namespace Mcp.Agent.Registry;

/// <summary>Which images mcp itself brought to this node, and the pulls that bring more. Of others nothing is ever removed.</summary>
public sealed class ImagesTable(Database database, TimeProvider time)
{
    /// <summary>Those that were brought, by all their references.</summary>
    public List<BroughtImage> List()
    {
        using var connection = database.Connect();
        var rows = connection.QueryEach(
            "SELECT kind, image, reference, used_at FROM images ORDER BY kind, image, reference",
            r => new BroughtImage(Kind(r.GetString(0)), r.GetString(1), [r.GetString(2)], TimeText.ReadOrLongAgo(r.GetString(3))));
        return [.. rows.GroupBy(r => (r.Kind, r.Id)).Select(g => new BroughtImage(
            g.Key.Kind,
            g.Key.Id,
            [.. g.SelectMany(r => r.References).Where(r => r.Length > 0)],
            g.Max(r => r.Used)))];
    }

    public List<BegunPull> Pulls()
    {
        using var connection = database.Connect();
        return connection.QueryEach("SELECT kind, reference, meant, there, kept FROM pulls", r => new BegunPull(
            Kind(r.GetString(0)),
            r.GetString(1),
            r.GetString(2),
            r.GetString(3).Split(' ', StringSplitOptions.RemoveEmptyEntries),
            r.GetString(4)));
    }

    /// <summary>One that a kill has interrupted, and that has brought something, stays as it began.</summary>
    public void Begin(BegunPull pull) => database.Write(connection => connection.Run(
        """
        INSERT INTO pulls (kind, reference, meant, there, kept) VALUES (@kind, @reference, @meant, @there, @kept)
        ON CONFLICT (kind, reference) DO UPDATE SET kept = @kept, there = CASE WHEN meant = @meant THEN @there ELSE there END
        """,
        ("kind", pull.Kind.ToString()),
        ("reference", pull.Reference),
        ("meant", pull.Meant),
        ("there", string.Join(' ', pull.There)),
        ("kept", pull.Kept)));

    /// <summary>It has ended; what came with it is mcp's.</summary>
    /// <param name="image">Null: nothing came.</param>
    public void End(ImageKind kind, ImageReference reference, string? image) => database.Write(connection =>
    {
        var began = Pulls().Find(p => p.Kind == kind && p.Reference == reference.Text);
        if (image is not null && began is not null)
        {
            var isOurs = began.Brought(image) || (began.Renamed(image) && Has(connection, kind, image));
            if (isOurs)
                Use(connection, kind, image, reference.Text);
        }

        connection.Run(
            "DELETE FROM pulls WHERE kind = @kind AND reference = @reference",
            ("kind", kind.ToString()),
            ("reference", reference.Text));
    });

    /// <summary>Those that were needed, or seen for the first time, a moment ago.</summary>
    public void Used(IEnumerable<(ImageKind Kind, string Id)> images) => database.Note(connection =>
    {
        foreach (var (kind, id) in images)
        {
            if (!Has(connection, kind, id))
            {
                Use(connection, kind, id, "");
                continue;
            }

            connection.Run(
                "UPDATE images SET used_at = @now WHERE kind = @kind AND image = @image",
                ("now", time.NowText()),
                ("kind", kind.ToString()),
                ("image", id));
        }

        return 0;
    });

    /// <summary>They are gone.</summary>
    /// <param name="before">What was brought since then is not meant.</param>
    public void Forget(IEnumerable<(ImageKind Kind, string Id)> images, DateTimeOffset before) => database.Note(connection =>
    {
        foreach (var (kind, id) in images)
        {
            connection.Run(
                "DELETE FROM images WHERE kind = @kind AND image = @image AND used_at < @before",
                ("kind", kind.ToString()),
                ("image", id),
                ("before", before.ToText()));
        }

        return 0;
    });

    private void Use(SqliteConnection connection, ImageKind kind, string image, string reference) => connection.Run(
        """
        INSERT INTO images (kind, image, reference, used_at) VALUES (@kind, @image, @reference, @now)
        ON CONFLICT (kind, image, reference) DO UPDATE SET used_at = @now
        """,
        ("kind", kind.ToString()),
        ("image", image),
        ("reference", reference),
        ("now", time.NowText()));

    private static bool Has(SqliteConnection connection, ImageKind kind, string image) => connection.Scalar(
        "SELECT 1 FROM images WHERE kind = @kind AND image = @image LIMIT 1",
        ("kind", kind.ToString()),
        ("image", image)) is not null;

    private static ImageKind Kind(string text) => Enum.TryParse<ImageKind>(text, out var kind)
        ? kind
        : throw new FormatException($"unknown kind {text}");
}
