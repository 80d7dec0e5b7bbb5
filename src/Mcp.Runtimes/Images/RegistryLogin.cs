using System.Net.Http.Headers;
using System.Text.RegularExpressions;
using Mcp.Model.Errors;
using Mcp.Model.Names;

namespace Mcp.Runtimes.Images;

/// <summary>What a registry is shown: the login that podman keeps, or the token that its token server gives for it.</summary>
internal sealed partial class RegistryLogin(ImageReference image, RegistryCredentials credentials)
{
    private const int MaxChallenge = 4096;

    /// <summary>Null: nothing was asked for yet, or there is none.</summary>
    public AuthenticationHeaderValue? Header { get; private set; }

    /// <summary>Why the login was not sent to where the registry wanted it; null: it was.</summary>
    public string? Withheld { get; private set; }

    /// <summary>Answers a refusal.</summary>
    /// <returns>False: there is no answer to it.</returns>
    /// <exception cref="McpException">image.pull</exception>
    public async Task<bool> AnswerAsync(HttpClient http, Uri registry, HttpResponseMessage refused, CancellationToken ct)
    {
        var basic = credentials.For(RegistryAddress.Login(RegistryAddress.Split(image).Registry));
        var challenge = refused.Headers.WwwAuthenticate.FirstOrDefault(c => c.Scheme is "Bearer" or "Basic");
        if (challenge is { Scheme: "Bearer", Parameter: { Length: <= MaxChallenge } parameters })
        {
            var token = await TokenAsync(http, registry, parameters, basic, ct);
            Header = token is null ? null : new AuthenticationHeaderValue("Bearer", token);
        }
        else
        {
            Header = basic is null ? null : new AuthenticationHeaderValue("Basic", basic);
        }

        return Header is not null;
    }

    // https://distribution.github.io/distribution/spec/auth/token/
    private async Task<string?> TokenAsync(HttpClient http, Uri registry, string parameters, string? basic, CancellationToken ct)
    {
        var known = Parameter()
            .Matches(parameters)
            .GroupBy(m => m.Groups[1].Value)
            .ToDictionary(g => g.Key, g => g.First().Groups[2].Value);
        var realm = RegistryAddress.Follow(
            registry, Uri.TryCreate(known.GetValueOrDefault("realm"), UriKind.Absolute, out var said) ? said : null, "a token server");
        var scope = $"repository:{RegistryAddress.Split(image).Repository}:pull";
        var query = $"service={Uri.EscapeDataString(known.GetValueOrDefault("service") ?? "")}&scope={Uri.EscapeDataString(scope)}";
        var address = new UriBuilder(realm)
        {
            Fragment = "",
            UserName = "",
            Password = "",
            Query = realm.Query.Length > 1 ? $"{realm.Query}&{query}" : query,
        };
        using var request = new HttpRequestMessage(HttpMethod.Get, address.Uri);
        if (basic is not null && RegistryAddress.Trusts(registry, realm))
            request.Headers.Authorization = new AuthenticationHeaderValue("Basic", basic);
        else if (basic is not null)
        {
            Withheld = $"the login was not sent: the registry wants it sent to {realm.Host}, "
                + "which is neither its own host nor of its domain";
        }

        // Not along redirections: a token server answers itself.
        using var response = await RegistryConnection.SendAsync(http, request, ct);
        return response.IsSuccessStatusCode ? OciReader.Token(await RegistryConnection.DocumentAsync(response, ct)) : null;
    }

    [GeneratedRegex("(\\w+)=\"([^\"]*)\"")]
    private static partial Regex Parameter();
}
