namespace Mcp.Machine;

/// <summary>What an answer from outside says, as far as it is wanted: nobody knows how long it goes on.</summary>
public static class BoundedBody
{
    /// <param name="most">Bytes; the rest is not read.</param>
    public static async Task<byte[]> ReadAsync(HttpContent content, int most, CancellationToken ct)
    {
        await using var stream = await content.ReadAsStreamAsync(ct);
        var buffer = new byte[most];
        return buffer[..await stream.ReadAtLeastAsync(buffer, most, throwOnEndOfStream: false, ct)];
    }
}
