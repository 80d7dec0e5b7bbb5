using System.Globalization;

namespace Mcp.Machine;

/// <summary>A process with what it has started. Source: proc(5), /proc/PID/stat.</summary>
public static class ProcessTree
{
    private const int MostRounds = 20;

    // In kernel ticks, which programs see as hundredths of a second on every Linux.
    private const double TicksPerSecond = 100;

    private sealed record Stat(int Parent, int Session, double Started);

    /// <summary>Ends a process, what descends from it, and whatever else is in the session that it leads. All of them are stopped first,
    /// so that none starts another one meanwhile. What has ended already is no mistake.</summary>
    /// <returns>How many there were.</returns>
    public static int Kill(int root)
    {
        var stopped = new HashSet<int>();
        for (var round = 0; round < MostRounds; round++)
        {
            var more = Of(root).Where(stopped.Add).ToList();
            more.ForEach(p => Posix.Signal(p, Posix.StopSignal));
            if (more.Count == 0)
                break;
        }

        foreach (var process in stopped)
            Posix.Signal(process, Posix.KillSignal);
        return stopped.Count;
    }

    /// <summary>Since its start; null: it has ended.</summary>
    public static TimeSpan? Age(int process)
    {
        if (Read(process) is not { } stat)
            return null;
        var uptime = File.ReadAllText("/proc/uptime").Split(' ')[0];
        return TimeSpan.FromSeconds(Math.Max(0, double.Parse(uptime, CultureInfo.InvariantCulture) - stat.Started));
    }

    /// <summary>Who started it, or has taken it over since; 0: it has ended.</summary>
    public static int Parent(int process) => Read(process)?.Parent ?? 0;

    private static List<int> Of(int root)
    {
        var all = new Dictionary<int, Stat>();
        foreach (var number in TcpListeners.Processes())
        {
            if (int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var process) && Read(process) is { } stat)
                all[process] = stat;
        }

        return [.. all.Keys.Where(p => p == root || all[p].Session == root || DescendsFrom(root, p))];

        bool DescendsFrom(int ancestor, int process)
        {
            // Parents are read one after the other, so a number that was given anew could make a circle.
            for (var steps = 0; steps < all.Count && all.TryGetValue(process, out var stat); steps++)
            {
                process = stat.Parent;
                if (process == ancestor)
                    return true;
            }

            return false;
        }
    }

    private static Stat? Read(int process)
    {
        try
        {
            // The name may have spaces and brackets in it.
            var text = File.ReadAllText($"/proc/{process}/stat");
            var fields = text[(text.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
            return fields.Length < 20
                ? null
                : new Stat((int)Number(fields[1]), (int)Number(fields[3]), Number(fields[19]) / TicksPerSecond);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }

        static long Number(string field) => long.Parse(field, CultureInfo.InvariantCulture);
    }
}
