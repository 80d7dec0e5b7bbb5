using Mcp.Daemon.Storage;
using Mcp.Model.Names;

namespace Mcp.Agent.Registry;

/// <summary>What an instance's image meant.</summary>
/// <param name="Image">In its runtime's own words.</param>
/// <param name="Release">In which the instance was made; 0: not known.</param>
public sealed record KeptImage(InstanceName Instance, string Reference, string Image, long Release);

/// <summary>What the image of each instance meant when it was pulled, in its runtime's own words: a tag that is pushed again changes
/// nothing that is made anew.</summary>
public sealed class KeptImagesTable(Database database)
{
    // Of one component. Those that nobody needs are forgotten long before, see NodeImages.
    private const int Most = 200;

    /// <summary>Empty: not known, or it is of another reference.</summary>
    public string Of(InstanceName instance, ImageReference reference)
    {
        using var connection = database.Connect();
        return connection.Scalar(
            """
            SELECT image FROM kept_images
            WHERE service = @service AND component = @component AND generation = @generation AND reference = @reference
            """,
            ("service", instance.Service.Text),
            ("component", instance.Component.Text),
            ("generation", instance.Generation),
            ("reference", reference.Text)) as string ?? "";
    }

    /// <summary>The newest of each component first.</summary>
    public List<KeptImage> List()
    {
        using var connection = database.Connect();
        return connection.QueryEach(
            """
            SELECT service, component, generation, reference, image, release FROM kept_images
            ORDER BY service, component, generation DESC
            """,
            r => new KeptImage(
                new InstanceName(Label.Parse(r.GetString(0)), Label.Parse(r.GetString(1)), r.GetInt32(2)),
                r.GetString(3),
                r.GetString(4),
                r.GetInt64(5)));
    }

    /// <summary>Safe to repeat. The oldest of the component are forgotten.</summary>
    public void Keep(InstanceName instance, ImageReference reference, string image) => database.Write(connection =>
    {
        connection.Run(
            """
            INSERT INTO kept_images (service, component, generation, reference, image, release)
            VALUES (@service, @component, @generation, @reference, @image,
              (SELECT COALESCE(MAX(number), 0) FROM releases WHERE service = @service AND outcome IS NULL))
            ON CONFLICT (service, component, generation) DO UPDATE SET reference = @reference, image = @image
            """,
            ("service", instance.Service.Text),
            ("component", instance.Component.Text),
            ("generation", instance.Generation),
            ("reference", reference.Text),
            ("image", image));
        // Never that of the generation in force, however many have failed since.
        connection.Run(
            """
            DELETE FROM kept_images WHERE service = @service AND component = @component
            AND generation NOT IN (SELECT generation FROM components WHERE service = @service AND name = @component)
            AND generation NOT IN (SELECT generation FROM kept_images WHERE service = @service AND component = @component
              ORDER BY generation DESC LIMIT @most)
            """,
            ("service", instance.Service.Text),
            ("component", instance.Component.Text),
            ("most", Most));
    });

    /// <summary>As far as nothing is being done to its service just now.</summary>
    public void Forget(IReadOnlyCollection<InstanceName> instances)
    {
        if (instances.Count == 0)
            return;
        database.Write(connection =>
        {
            foreach (var instance in instances)
            {
                connection.Run(
                    """
                    DELETE FROM kept_images WHERE service = @service AND component = @component AND generation = @generation
                    AND generation NOT IN (SELECT generation FROM components WHERE service = @service AND name = @component)
                    AND NOT EXISTS (SELECT 1 FROM operations WHERE subject = @service)
                    """,
                    ("service", instance.Service.Text),
                    ("component", instance.Component.Text),
                    ("generation", instance.Generation));
            }
        });
    }
}
