using System.Text.Json;
using Mcp.Agent.Proxy;
using Mcp.Machine;

namespace Mcp.Agent.ProxyProcess;

/// <summary>The tables in force, and the file from which a proxy has them that starts without an agent.</summary>
internal sealed class StoredRoutes(string file, ProxyTables tables) : IDisposable
{
    private readonly SemaphoreSlim _writing = new(1, 1);

    public async Task ReadAsync(CancellationToken ct)
    {
        await _writing.WaitAsync(ct);
        try
        {
            if (File.Exists(file))
                tables.Replace(JsonSerializer.Deserialize(await File.ReadAllTextAsync(file, ct), ProxyJson.Default.ProxyRoutes)!);
        }
        finally
        {
            _writing.Release();
        }
    }

    /// <param name="keep">Writes them down; false: the file is another proxy's by now.</param>
    public async Task ReplaceAsync(ProxyRoutes routes, Func<bool> keep, CancellationToken ct)
    {
        await _writing.WaitAsync(ct);
        try
        {
            if (keep())
                WholeFile.Replace(file, s => JsonSerializer.Serialize(s, routes, ProxyJson.Default.ProxyRoutes));
            tables.Replace(routes);
        }
        finally
        {
            _writing.Release();
        }
    }

    public void Dispose() => _writing.Dispose();
}
