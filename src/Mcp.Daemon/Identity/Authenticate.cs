using Grpc.Core;
using Mcp.Model.Errors;

namespace Mcp.Daemon.Identity;

/// <summary>Who calls: whom the client's certificate names, or the bearer of a token.</summary>
public sealed class Authenticate(TokenSigner tokens, RoleTable roles)
{
    private const string Scheme = "Bearer ";

    /// <exception cref="McpException">auth.missing, auth.invalid</exception>
    public async Task<Caller> CallerAsync(ServerCallContext context)
    {
        if (context.GetHttpContext().Connection.ClientCertificate is { } shown && PeerName.Of(shown) is { } peer)
        {
            var role = peer.IsMaster ? Role.Admin : Role.Node;
            return new Caller(peer.Name.Text, role, shown.NotAfter.ToUniversalTime(), PeerName.KeyOf(shown));
        }

        var header = context.RequestHeaders.GetValue("authorization");
        if (header is null && roles.Needed(context.Method) == Role.Anyone)
            return new Caller("nobody", Role.Anyone, DateTimeOffset.MaxValue);
        if (header is null || !header.StartsWith(Scheme, StringComparison.Ordinal))
            throw new McpException(ErrorCode.AuthMissing, "no token was sent", "run: mcp login");
        var (caller, refusal) = await tokens.VerifyAsync(header[Scheme.Length..]);
        return caller ?? throw new McpException(ErrorCode.AuthInvalid, refusal, "run: mcp login with a fresh token");
    }
}
