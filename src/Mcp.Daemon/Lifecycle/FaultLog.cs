using System.Collections.Concurrent;
using Mcp.Daemon.Errors;
using Microsoft.Extensions.Logging;

namespace Mcp.Daemon.Lifecycle;

/// <summary>Failures of what runs without being asked: those of the world in a line, a fault of ours with its type and its place.</summary>
public sealed partial class FaultLog(ILogger<FaultLog> logger)
{
    private readonly ConcurrentDictionary<string, string> _last = new();

    /// <param name="what">What failed, such as "edge".</param>
    public void Write(string what, Exception e)
    {
        if (FailureText.IsOurs(e))
            Log.Fault(logger, e, what);
        else
            Log.Failed(logger, what, FailureText.Of(e));
    }

    /// <summary>The same, unless this was the last that was written of it.</summary>
    public void WriteOnce(string what, Exception e)
    {
        var text = FailureText.Of(e);
        if (_last.TryGetValue(what, out var last) && last == text)
            return;
        _last[what] = text;
        Write(what, e);
    }

    /// <summary>It is well again: written if something else was written of it once.</summary>
    public void Over(string what)
    {
        if (_last.TryRemove(what, out _))
            Log.Well(logger, what);
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Warning, Message = "{What}: {Why}")]
        public static partial void Failed(ILogger logger, string what, string why);

        [LoggerMessage(Level = LogLevel.Error, Message = "{What} failed")]
        public static partial void Fault(ILogger logger, Exception e, string what);

        [LoggerMessage(Level = LogLevel.Warning, Message = "{What}: well again")]
        public static partial void Well(ILogger logger, string what);
    }
}
