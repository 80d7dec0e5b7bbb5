using System.Net;
using System.Net.Http.Headers;
using Mcp.Machine;
using Mcp.Model.Errors;
using Mcp.Model.Names;

namespace Mcp.Runtimes.Images;

/// <summary>Asks a registry: with its login where it wants one, along its redirections. The login goes to the registry itself, and to its
/// token server.</summary>
internal sealed class RegistryConnection(ImageReference image, RegistryCredentials credentials) : IDisposable
{
    private const int MaxRedirects = 5;
    private const int BufferBytes = 64 * 1024;
    private static readonly TimeSpan s_answer = TimeSpan.FromSeconds(30);
    private readonly HttpClient _http = new(new SocketsHttpHandler
    {
        // Followed here, where it is known what may be sent along.
        AllowAutoRedirect = false,
        UseCookies = false,
        ConnectTimeout = TimeSpan.FromSeconds(10),
        PooledConnectionLifetime = TimeSpan.FromMinutes(5),
    })
    { Timeout = Timeout.InfiniteTimeSpan };

    private readonly RegistryLogin _login = new(image, credentials);

    /// <param name="what">manifests/TAG, blobs/DIGEST</param>
    /// <param name="from">The byte to begin with. The answer's status says whether it does.</param>
    /// <returns>A success.</returns>
    /// <exception cref="McpException">image.pull: the registry says no, or cannot be reached.</exception>
    public async Task<HttpResponseMessage> GetAsync(string what, IReadOnlyList<string> accept, long from, CancellationToken ct)
    {
        var (home, at, asked) = (RegistryAddress.Of(image, what), RegistryAddress.Of(image, what), false);
        for (var redirects = 0; ;)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, at);
            request.Headers.Authorization = RegistryAddress.Same(at, home) ? _login.Header : null;
            request.Headers.Range = from > 0 ? new RangeHeaderValue(from, null) : null;
            foreach (var type in accept)
                request.Headers.Accept.ParseAdd(type);
            var response = await SendAsync(_http, request, ct);
            if (response.IsSuccessStatusCode)
                return response;
            using (response)
            {
                if (response.StatusCode is HttpStatusCode.Unauthorized
                    && !asked
                    && RegistryAddress.Same(at, home)
                    && await _login.AnswerAsync(_http, home, response, ct))
                {
                    (asked, at) = (true, home);
                }
                else if (!IsRedirect(response.StatusCode))
                    throw Refused(at, what, response.StatusCode);
                else if (++redirects > MaxRedirects)
                    throw OciReader.Wrong($"{home.Authority} redirects more than {MaxRedirects} times");
                else
                    at = RegistryAddress.Follow(at, response.Headers.Location, "another place");
            }
        }
    }

    /// <summary>The body of an answer that is a document.</summary>
    /// <exception cref="McpException">image.pull: too large, or it broke off.</exception>
    public static async Task<byte[]> DocumentAsync(HttpResponseMessage response, CancellationToken ct)
    {
        using var limit = new Within(s_answer, ct);
        using var bytes = new MemoryStream();
        try
        {
            await using var stream = await response.Content.ReadAsStreamAsync(limit.Token);
            var buffer = new byte[BufferBytes];
            for (int read; (read = await stream.ReadAsync(buffer, limit.Token)) > 0;)
            {
                await bytes.WriteAsync(buffer.AsMemory(0, read), limit.Token);
                if (bytes.Length > OciReader.MaxDocumentBytes)
                    throw OciReader.Wrong($"the registry's answer is larger than {OciReader.MaxDocumentBytes / 1024 / 1024} MiB");
            }
        }
        catch (IOException e)
        {
            throw Unreachable(response.RequestMessage!.RequestUri!, Why(e), e);
        }
        catch (OperationCanceledException e) when (!ct.IsCancellationRequested)
        {
            throw Unreachable(response.RequestMessage!.RequestUri!, $"its answer did not end within {s_answer.TotalSeconds:0} s", e);
        }

        return bytes.ToArray();
    }

    /// <exception cref="McpException">image.pull: it cannot be reached, or does not answer.</exception>
    public static async Task<HttpResponseMessage> SendAsync(HttpClient http, HttpRequestMessage request, CancellationToken ct)
    {
        using var limit = new Within(s_answer, ct);
        try
        {
            return await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, limit.Token);
        }
        catch (HttpRequestException e)
        {
            throw Unreachable(request.RequestUri!, Why(e), e);
        }
        catch (OperationCanceledException e) when (!ct.IsCancellationRequested)
        {
            throw Unreachable(request.RequestUri!, $"no answer within {s_answer.TotalSeconds:0} s", e);
        }
    }

    /// <summary>A failure of the registry that may be over in a moment, as while it is restarted: it cannot be reached, or says that it has
    /// a fault.</summary>
    public static bool MayPass(McpException failure) =>
        failure.InnerException is HttpRequestException or IOException or OperationCanceledException;

    /// <summary>The innermost reason: "Connection refused", not "an error occurred, see inside".</summary>
    public static string Why(Exception e)
    {
        while (e.InnerException is { } inner)
            e = inner;
        return OciReader.Plain(e.Message);
    }

    public void Dispose() => _http.Dispose();

    private static bool IsRedirect(HttpStatusCode status) =>
        status is HttpStatusCode.MovedPermanently or HttpStatusCode.Found or HttpStatusCode.SeeOther
            or HttpStatusCode.TemporaryRedirect or HttpStatusCode.PermanentRedirect;

    private McpException Refused(Uri at, string what, HttpStatusCode status)
    {
        var registry = at.Authority;
        return status switch
        {
            HttpStatusCode.NotFound => new McpException(
                ErrorCode.ImagePull,
                $"{registry} has no {what}",
                "is the image's name right, and was it pushed?"),
            HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => new McpException(
                ErrorCode.ImagePull,
                $"{registry} refuses access: podman login {registry} on the node as the agent's user",
                _login.Withheld ?? "is the login still valid?"),
            _ => new McpException(
                ErrorCode.ImagePull,
                $"{registry} answered {(int)status}",
                "try again later, or ask whoever runs the registry",
                status >= HttpStatusCode.InternalServerError ? new HttpRequestException(null, null, status) : null),
        };
    }

    private static McpException Unreachable(Uri at, string why, Exception cause) =>
        new(ErrorCode.ImagePull, $"{at.Authority} cannot be reached: {why}", "is the registry reachable from this node?", cause);
}
