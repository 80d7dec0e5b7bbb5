using System.ComponentModel;
using System.Data.Common;
using System.Security.Cryptography;
using Grpc.Core;
using Mcp.Daemon.Operations;
using Mcp.Model.Definition;
using Mcp.Model.Errors;

namespace Mcp.Daemon.Errors;

/// <summary>What a person reads of a failure, whatever it is.</summary>
public static class FailureText
{
    public const string OurFault = "this is a fault of mcp; the log of the program has the details";

    /// <summary>What the world said, in its own words. A fault of ours also names its type, which whoever reports it will be asked
    /// for.</summary>
    public static string Of(Exception e) => e switch
    {
        RpcException rpc => rpc.Status.Detail,
        _ when IsOurs(e) => $"{e.GetType().Name}: {e.Message}",
        _ => e.Message,
    };

    /// <summary>Whether nothing outside of mcp explains it.</summary>
    public static bool IsOurs(Exception e) => e is not (
        McpException or ServiceFileException or StepFailedException or RpcException
        or IOException or UnauthorizedAccessException or HttpRequestException or Win32Exception or DbException or CryptographicException
        or TimeoutException or OperationCanceledException);
}
