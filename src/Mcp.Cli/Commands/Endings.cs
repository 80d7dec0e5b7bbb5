using System.Globalization;
using Mcp.Protocol.V1;

namespace Mcp.Cli.Commands;

/// <summary>doctor's lines about what ends: ok, "soon", or failed where it is over.</summary>
internal static class Endings
{
    private static readonly TimeSpan s_token = TimeSpan.FromDays(14);

    /// <summary>Certificates, and the token of whoever asks.</summary>
    public static IEnumerable<string[]> Of(WhoAmIReply me, IEnumerable<Ending> endings)
    {
        var near = me.Expires.ToDateTimeOffset() - TimeProvider.System.GetUtcNow() < s_token;
        var token = new Ending
        {
            What = "your token",
            End = me.Expires,
            Near = near,
            Hint = "ask for a new one, or make it where mcp-agent or mcp-master runs: "
                + "mcp-agent token --config FILE, mcp-master token --config FILE",
        };
        return endings.Append(token).Select(e => Line("", e));
    }

    /// <summary>Only those that somebody should hear of.</summary>
    public static IEnumerable<string[]> Near(string whose, IEnumerable<Ending> endings) =>
        endings.Where(e => e.Near).Select(e => Line(whose, e));

    private static string[] Line(string whose, Ending ending)
    {
        var day = ending.End.ToDateTimeOffset().UtcDateTime.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
        var over = ending.End.ToDateTimeOffset() <= TimeProvider.System.GetUtcNow();
        var result = over ? "failed" : ending.Near ? "soon" : "ok";
        return [result, whose + ending.What, ending.Near ? $"{(over ? "ended" : "ends")} {day} -> {ending.Hint}" : $"until {day}"];
    }
}
