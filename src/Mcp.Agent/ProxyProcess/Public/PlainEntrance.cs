using System.Globalization;
using Mcp.Agent.ProxyProcess.Passing;

namespace Mcp.Agent.ProxyProcess.Public;

/// <summary>What the public gets without TLS: the answers to an ACME server's questions (RFC 8555 8.3), and for the rest the way to
/// HTTPS.</summary>
internal sealed class PlainEntrance(PublicTable table, string acmeRoot, int httpsPort)
{
    private const string Challenges = "/.well-known/acme-challenge/";
    private const int LongestToken = 128;
    private const int HttpsPort = 443;

    public async Task AnswerAsync(HttpContext context)
    {
        var request = context.Request;
        var path = request.Path.Value ?? "";
        var isChallenge = path.StartsWith(Challenges, StringComparison.Ordinal) && IsToken(path[Challenges.Length..]);
        if (HttpMethods.IsGet(request.Method) && isChallenge)
        {
            await ChallengeAsync(context, Path.Combine(acmeRoot, ".well-known", "acme-challenge", path[Challenges.Length..]));
        }
        else if (Refusal.Of(context) is { } refusal)
        {
            await refusal.AnswerAsync(context.Response);
        }
        else if (table.Find(request.Host.Host) is { } host)
        {
            // 308 keeps the method.
            context.Response.StatusCode = StatusCodes.Status308PermanentRedirect;
            var port = httpsPort == HttpsPort ? "" : string.Create(CultureInfo.InvariantCulture, $":{httpsPort}");
            context.Response.Headers.Location = $"https://{host.Name}{port}{AsItCame.Target(context)}";
        }
        else
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            await context.Response.WriteAsync("no route for this host\n");
        }
    }

    private static async Task ChallengeAsync(HttpContext context, string file)
    {
        try
        {
            var answer = await File.ReadAllTextAsync(file, context.RequestAborted);
            context.Response.ContentType = "application/octet-stream";
            await context.Response.WriteAsync(answer, context.RequestAborted);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
        }
    }

    // base64url, RFC 8555 8.1: no dots, no slashes.
    private static bool IsToken(string text) =>
        text.Length is > 0 and <= LongestToken && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_');
}
