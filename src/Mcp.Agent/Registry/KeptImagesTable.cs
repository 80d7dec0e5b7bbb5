using Mcp.Daemon.Storage;
using Mcp.Model.Names;

namespace Mcp.Agent.Registry;

/// <summary>What the image of each instance meant when it was pulled, in its runtime's own words: a tag that is pushed again changes
/// nothing that is made anew.</summary>
public sealed class KeptImagesTable(Database database)
{
    // Of one component: what runs, what comes, and what failed between.
    private const int Most = 8;

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

    /// <summary>Safe to repeat. The oldest of the component are forgotten.</summary>
    public void Keep(InstanceName instance, ImageReference reference, string image) => database.Write(connection =>
    {
        connection.Run(
            """
            INSERT INTO kept_images (service, component, generation, reference, image)
            VALUES (@service, @component, @generation, @reference, @image)
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
}
