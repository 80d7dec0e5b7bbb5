using System.Globalization;
using Mcp.Model.Names;

namespace Mcp.Runtimes.Podman;

/// <summary>A container is told by its labels: somebody may have given it another name.</summary>
internal static class PodmanNames
{
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(1);

    /// <returns>Null: it is none of ours.</returns>
    public static InstanceName? Of(LibpodListed listed) => Of(listed.Labels, listed.Names?.FirstOrDefault());

    /// <param name="name">As podman calls it now.</param>
    public static InstanceName? Of(IReadOnlyDictionary<string, string>? labels, string? name)
    {
        if (labels?.GetValueOrDefault(CreateRequest.ServiceLabel) is not { } service)
            return null;
        return Label.TryParse(service, out var its)
            && Label.TryParse(labels.GetValueOrDefault(CreateRequest.ComponentLabel), out var component)
            && int.TryParse(
                labels.GetValueOrDefault(CreateRequest.GenerationLabel),
                NumberStyles.None,
                CultureInfo.InvariantCulture,
                out var generation)
            && generation is > 0 and <= InstanceName.MostGenerations
                ? new InstanceName(its, component, generation)
                : InstanceName.TryParse(name, out var parsed) ? parsed : null;
    }

    /// <summary>Gives it back its own name, under which everything else asks for it. What only has our labels, since it was made of an
    /// image that has them, is none of ours; what would take the name of another one is left alone.</summary>
    /// <returns>False: it is not to be counted.</returns>
    public static async Task<bool> HasItsOwnAsync(LibpodClient client, LibpodListed listed, InstanceName name, CancellationToken ct)
    {
        if (listed.Names?.FirstOrDefault() == name.ToString() || listed.Id is not { Length: > 0 } id)
            return true;
        try
        {
            var container = await client.GetAsync($"/containers/{id}/json", LibpodJson.Default.LibpodContainer, ct);
            if (container?.Image is not { Length: > 0 } made)
                return false;
            var image = await client.GetAsync($"/images/{made}/json", LibpodJson.Default.LibpodImage, ct);
            if (image?.Labels?.ContainsKey(CreateRequest.ServiceLabel) == true)
                return false;
            await client.CallAsync(HttpMethod.Post, $"/containers/{id}/rename?name={name}", s_limit, ct);
            return true;
        }
        catch (LibpodException e) when (e.Status != 0)
        {
            // Another one has the name; or it is this one, that somebody else has renamed meanwhile.
            var there = await client.GetAsync($"/containers/{name}/json", LibpodJson.Default.LibpodContainer, ct);
            return there is null || there.Id == id;
        }
    }
}
