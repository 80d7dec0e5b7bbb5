using System.Globalization;

namespace Mcp.Runtimes.Qemu.Control;

/// <summary>A request under way: takes the guest's lines about it, of which nothing is believed.</summary>
internal sealed class GuestRequest
{
    private const string Piece = "+ ";
    private const string KilledAtLimit = "over";
    private const int MostOutput = 64 * 1024;
    private const int MostCode = 255;
    private readonly List<byte> _output = [];
    private readonly TaskCompletionSource<GuestAnswer> _answer = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task<GuestAnswer> Answer => _answer.Task;

    /// <param name="said">A line without the request's id. What has no meaning is passed over. Of one thread only.</param>
    public void Hear(ReadOnlySpan<char> said)
    {
        if (said.StartsWith(Piece, StringComparison.Ordinal))
            Keep(said[Piece.Length..]);
        else if (said.SequenceEqual(KilledAtLimit))
            _answer.TrySetResult(new GuestAnswer(null, [.. _output]));
        else if (int.TryParse(said, NumberStyles.None, CultureInfo.InvariantCulture, out var code) && code <= MostCode)
            _answer.TrySetResult(new GuestAnswer(code, [.. _output]));
    }

    public void Fail(Exception why) => _answer.TrySetException(why);

    private void Keep(ReadOnlySpan<char> encoded)
    {
        var bytes = new byte[encoded.Length];
        if (Convert.TryFromBase64Chars(encoded, bytes, out var length))
            _output.AddRange(bytes.AsSpan(0, Math.Min(length, MostOutput - _output.Count)));
    }
}
