using System.Net;
using Mcp.Model.Errors;
using Mcp.Runtimes.Images;

namespace Mcp.Runtimes.Podman;

/// <summary>An image's files, by a container that never starts: podman mounts it, and its removal leaves nothing. One at a time, so that
/// what a kill has left can be told from what is in use.</summary>
internal sealed class ShownImage(LibpodClient client) : IDisposable
{
    private const string Label = "mcp.fill";
    private const string LeftFilter = $"%7B%22label%22%3A%5B%22{Label}%22%5D%7D";
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(1);
    private readonly SemaphoreSlim _turn = new(1, 1);

    /// <summary>See <see cref="IRuntime.FillAsync"/>.</summary>
    public async Task<bool> CopyAsync(string image, string path, string directory, CancellationToken ct)
    {
        await _turn.WaitAsync(ct);
        try
        {
            await SweepAsync(ct);
            var name = $"{Label}-{Guid.NewGuid():N}";
            var request = new LibpodShown(name, image, new Dictionary<string, string> { [Label] = directory });
            await client.PostAsync("/containers/create", request, LibpodJson.Default.LibpodShown, s_limit, ct);
            try
            {
                var said = await client.PostAsync($"/containers/{name}/mount", request, LibpodJson.Default.LibpodShown, s_limit, ct);
                // As text; the documentation says that it is JSON.
                var from = RootedPath.Resolve(said.Trim().Trim('"'), path, followLast: true);
                if (!Directory.Exists(from))
                    return false;
                await FileCopy.DirectoryAsync(from, directory, ct);
                return true;
            }
            finally
            {
                // Also when the agent is told to stop.
                await RemoveAsync(name, CancellationToken.None);
            }
        }
        catch (LibpodException e)
        {
            throw new McpException(
                ErrorCode.VolumeFill,
                $"the files of {image} cannot be read: {e.Message}",
                "mcp doctor says what is wrong with podman",
                e);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>What a killed process has left; nothing while one is being copied.</summary>
    public async Task SweepIdleAsync(CancellationToken ct)
    {
        if (!await _turn.WaitAsync(TimeSpan.Zero, ct))
            return;
        try
        {
            await SweepAsync(ct);
        }
        finally
        {
            _turn.Release();
        }
    }

    public void Dispose() => _turn.Dispose();

    private async Task SweepAsync(CancellationToken ct)
    {
        var left = await client.GetAsync(
            $"/containers/json?all=true&filters={LeftFilter}", LibpodJson.Default.LibpodListedArray, ct);
        foreach (var container in left ?? [])
            await RemoveAsync(container.Id ?? "", ct);
    }

    private Task<HttpStatusCode> RemoveAsync(string name, CancellationToken ct) =>
        client.CallAsync(HttpMethod.Delete, $"/containers/{name}?force=true&timeout=0", s_limit, ct, HttpStatusCode.NotFound);
}
