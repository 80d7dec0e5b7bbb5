using System.Globalization;
using System.Net;
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

    /// <summary>Gives it back its own name, under which everything else asks for it. Where another one has that name, this one is a second
    /// one of the same, and goes.</summary>
    /// <returns>False: it is gone.</returns>
    public static async Task<bool> HasItsOwnAsync(LibpodClient client, LibpodListed listed, InstanceName name, CancellationToken ct)
    {
        if (listed.Names?.FirstOrDefault() == name.ToString() || listed.Id is not { Length: > 0 } id)
            return true;
        try
        {
            await client.CallAsync(HttpMethod.Post, $"/containers/{id}/rename?name={name}", s_limit, ct);
            return true;
        }
        catch (LibpodException e) when (e.Status != 0)
        {
            // Also renamed meanwhile, or ended by somebody else.
            var there = await client.GetAsync($"/containers/{name}/json", LibpodJson.Default.LibpodContainer, ct);
            if (there?.Id == id)
                return true;
            if (there is null && await client.GetAsync($"/containers/{id}/json", LibpodJson.Default.LibpodContainer, ct) is not null)
                throw;
            if (there is not null)
            {
                await client.CallAsync(
                    HttpMethod.Delete, $"/containers/{id}?force=true&v=true&timeout=10", s_limit, ct, HttpStatusCode.NotFound);
            }

            return false;
        }
    }
}
