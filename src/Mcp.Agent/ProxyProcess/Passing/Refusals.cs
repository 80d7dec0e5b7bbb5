namespace Mcp.Agent.ProxyProcess.Passing;

/// <summary>What no server gets.</summary>
internal static class Refusals
{
    /// <summary>A method that is not passed on, or a target that is none.</summary>
    public static Task OfRequestAsync(HttpContext context)
    {
        var (status, why) = AsItCame.IsWritten(context)
            ? (StatusCodes.Status405MethodNotAllowed, "not with this method\n")
            : (StatusCodes.Status400BadRequest, "the target has characters that are to be escaped\n");
        context.Response.StatusCode = status;
        return context.Response.WriteAsync(why);
    }
}
