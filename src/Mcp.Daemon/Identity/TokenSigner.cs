using System.Collections.Concurrent;
using System.Security.Claims;
using System.Security.Cryptography;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Mcp.Daemon.Identity;

/// <summary>Signs and verifies JWTs (ES256) with the authority's key, a P-256 key in PEM; with the public half alone it only verifies.
/// Verifying needs no network.</summary>
public sealed class TokenSigner(string keyPem, TimeProvider time)
{
    private const int MostVerified = 1000;
    private readonly ConcurrentDictionary<string, (Caller Caller, DateTimeOffset Warn)> _verified = new();
    private const string Issuer = "mcp";
    private readonly ECDsaSecurityKey _key = new(FromPem(keyPem)) { KeyId = "1" };
    private readonly JsonWebTokenHandler _handler = new() { MapInboundClaims = false, SetDefaultTimesOnTokenCreation = false };

    /// <summary>Raised each time a token is used that ends soon.</summary>
    public event Action<Caller>? Expiring;

    public static string NewKey()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return key.ExportPkcs8PrivateKeyPem();
    }

    /// <summary>The public half, in PEM: what an agent needs to know the master's tokens.</summary>
    public string PublicKey => _key.ECDsa.ExportSubjectPublicKeyInfoPem();

    public string Issue(string name, Role role, TimeSpan life)
    {
        var now = time.GetUtcNow().UtcDateTime;
        return _handler.CreateToken(new SecurityTokenDescriptor
        {
            Issuer = Issuer,
            Audience = Issuer,
            Subject = new ClaimsIdentity([new Claim("sub", name), new Claim("role", role.ToString().ToLowerInvariant())]),
            // A node's clock may be behind.
            NotBefore = now.AddHours(-1),
            IssuedAt = now,
            Expires = now + life,
            SigningCredentials = new SigningCredentials(_key, SecurityAlgorithms.EcdsaSha256),
        });
    }

    /// <summary>The caller, or why the token does not count.</summary>
    public async Task<(Caller? Caller, string Refusal)> VerifyAsync(string token)
    {
        // A signature that held once holds: only the time goes on.
        if (_verified.TryGetValue(token, out var known) && time.GetUtcNow() < known.Caller.Expires)
            return Seen(known);
        var result = await _handler.ValidateTokenAsync(token, new TokenValidationParameters
        {
            ValidIssuer = Issuer,
            ValidAudience = Issuer,
            IssuerSigningKey = _key,
            ValidAlgorithms = [SecurityAlgorithms.EcdsaSha256],
            RequireExpirationTime = true,
            RequireSignedTokens = true,
            LifetimeValidator = (from, until, _, _) => time.GetUtcNow() is var now
                && now >= (from ?? DateTime.MaxValue)
                && now < (until ?? DateTime.MinValue),
        });
        if (!result.IsValid)
        {
            return (null, result.Exception is SecurityTokenInvalidLifetimeException
                ? "the token has expired"
                : "the token is not one of this node's or fleet's");
        }

        var jwt = (JsonWebToken)result.SecurityToken;
        if (!Roles.TryParse(jwt.TryGetClaim("role", out var role) ? role.Value : "", out var parsed))
            return (null, "the token names no known role");
        if (_verified.Count >= MostVerified)
            _verified.Clear();
        var warn = jwt.ValidTo - Expiry.WarnOf(jwt.ValidTo - jwt.IssuedAt);
        return Seen(_verified[token] = (new Caller(jwt.Subject, parsed, jwt.ValidTo), warn));
    }

    private (Caller? Caller, string Refusal) Seen((Caller Caller, DateTimeOffset Warn) known)
    {
        if (time.GetUtcNow() >= known.Warn)
            Expiring?.Invoke(known.Caller);
        return (known.Caller, "");
    }

    private static ECDsa FromPem(string pem)
    {
        var key = ECDsa.Create();
        key.ImportFromPem(pem);
        return key;
    }
}
