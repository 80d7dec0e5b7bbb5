using System.Globalization;
using Mcp.Model.Names;

namespace Mcp.Runtimes.Images;

/// <summary>How far a download is, for people, once a second: "IMAGE: 41.2 of 187.0 MiB, 22 %, 12.3 MiB/s". The parts of an image come side
/// by side.</summary>
/// <param name="total">Bytes of all parts, packed; 0: not known.</param>
internal sealed class PullMeter(ImageReference image, long total, IProgress<string>? progress, TimeProvider time)
{
    private const double MiB = 1024 * 1024;
    private const int Samples = 6;
    private static readonly TimeSpan s_every = TimeSpan.FromSeconds(1);
    private readonly Dictionary<string, long> _parts = [];
    private readonly Queue<(long At, long Bytes)> _seen = new([(time.GetTimestamp(), 0)]);

    /// <summary>It may become known later.</summary>
    public long Total { get; set; } = total;

    /// <param name="bytes">So much of the part is here.</param>
    public void At(string part, long bytes)
    {
        _parts[part] = bytes;
        var now = time.GetTimestamp();
        if (time.GetElapsedTime(_seen.Last().At, now) < s_every)
            return;
        var here = _parts.Values.Sum();
        var (then, before) = _seen.Peek();
        _seen.Enqueue((now, here));
        if (_seen.Count > Samples)
            _seen.Dequeue();
        var rate = Math.Max(0, here - before) / time.GetElapsedTime(then, now).TotalSeconds;
        var far = Total >= here && Total > 0
            ? string.Create(CultureInfo.InvariantCulture, $"{here / MiB:0.0} of {Total / MiB:0.0} MiB, {100 * here / Total} %")
            : string.Create(CultureInfo.InvariantCulture, $"{here / MiB:0.0} MiB");
        progress?.Report(string.Create(CultureInfo.InvariantCulture, $"{image}: {far}, {rate / MiB:0.0} MiB/s"));
    }
}
