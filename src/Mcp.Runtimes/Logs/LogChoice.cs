namespace Mcp.Runtimes.Logs;

/// <summary>Which lines of one log are asked for. The pieces of a long line go with the first that is.</summary>
internal sealed class LogChoice(LogOptions asked)
{
    private LogOptions _asked = asked;
    private OneStream _out;
    private OneStream _err;

    /// <summary>Lines that were begun, of those that the options let through.</summary>
    public int Lines { get; private set; }

    /// <summary>So many of them are left out.</summary>
    public int Left { get; init; }

    /// <summary>What has been written before is read: of what comes the writer's clock says nothing.</summary>
    public void ForgetSince() => _asked = _asked with { Since = null };

    /// <summary>Of each line in its turn.</summary>
    public bool Takes(LogLine line)
    {
        if (line.IsNotice)
            return true;
        ref var stream = ref line.Stderr ? ref _err : ref _out;
        if (!stream.GoesOn)
        {
            if (!_asked.Takes(line))
                return false;
            stream.Number = Lines++;
        }

        stream.GoesOn = line.Continues;
        return stream.Number >= Left;
    }

    private record struct OneStream(bool GoesOn, int Number);
}
