using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Mcp.Machine;
using Mcp.Model.Errors;

namespace Mcp.Runtimes.Podman;

/// <summary>podman refused a call. Status 0: podman could not be reached at all.</summary>
internal sealed class LibpodException(HttpStatusCode status, string message, Exception? cause = null) : Exception(message, cause)
{
    public HttpStatusCode Status { get; } = status;
}

/// <summary>Thin client of podman's libpod REST API over a Unix socket. Every call has a time limit; streams end with their
/// token.</summary>
internal sealed class LibpodClient : IDisposable
{
    private static readonly TimeSpan s_question = TimeSpan.FromSeconds(30);

    // Of all that is read as a whole: the list of some ten thousand containers.
    private const int LongestAnswer = 32 * 1024 * 1024;
    private const int LongestError = 64 * 1024;
    private const string Prefix = "http://podman/v4.0.0/libpod";
    private const string DockerPrefix = "http://podman/v1.40";
    private readonly HttpClient _http;

    public LibpodClient(PodmanSocket socket)
    {
        var handler = new SocketsHttpHandler
        {
            ConnectCallback = (_, ct) => socket.ConnectAsync(ct),
            PooledConnectionIdleTimeout = TimeSpan.FromSeconds(20),
        };
        _http = new HttpClient(handler, disposeHandler: true)
        {
            Timeout = Timeout.InfiniteTimeSpan,
            MaxResponseContentBufferSize = LongestAnswer,
        };
    }

    public Task<T?> GetAsync<T>(string path, JsonTypeInfo<T> type, CancellationToken ct)
        where T : class => GetAsync(path, type, s_question, ct);

    public async Task<T?> GetAsync<T>(string path, JsonTypeInfo<T> type, TimeSpan time, CancellationToken ct)
        where T : class => await WithinAsync(time, async token =>
    {
        using var response = await SendAsync(HttpMethod.Get, Prefix + path, null, HttpCompletionOption.ResponseContentRead, token);
        if (response.StatusCode == HttpStatusCode.NotFound)
            return null;
        await EnsureAsync(response, token);
        return await response.Content.ReadFromJsonAsync(type, token);
    }, ct);

    public Task<HttpStatusCode> CallAsync(
        HttpMethod method,
        string path,
        TimeSpan time,
        CancellationToken ct,
        params HttpStatusCode[] alsoFine) =>
        WithinAsync(time, async token =>
        {
            using var response = await SendAsync(method, Prefix + path, null, HttpCompletionOption.ResponseContentRead, token);
            if (!alsoFine.Contains(response.StatusCode))
                await EnsureAsync(response, token);
            return response.StatusCode;
        }, ct);

    public Task<string> PostAsync<T>(string path, T body, JsonTypeInfo<T> type, TimeSpan time, CancellationToken ct) =>
        WithinAsync(time, async token =>
    {
        using var content = Json(body, type);
        using var response = await SendAsync(HttpMethod.Post, Prefix + path, content, HttpCompletionOption.ResponseContentRead, token);
        await EnsureAsync(response, token);
        return await response.Content.ReadAsStringAsync(token);
    }, ct);

    /// <summary>The caller owns the response and its stream.</summary>
    public Task<HttpResponseMessage> StreamAsync(HttpMethod method, string path, CancellationToken ct) =>
        OpenAsync(method, Prefix + path, null, ct);

    /// <summary>The same with something to send.</summary>
    public async Task<HttpResponseMessage> StreamAsync<T>(string path, T body, JsonTypeInfo<T> type, CancellationToken ct)
    {
        using var content = Json(body, type);
        return await OpenAsync(HttpMethod.Post, Prefix + path, content, ct);
    }

    /// <summary>The same of Docker's API, which podman speaks, too.</summary>
    public Task<HttpResponseMessage> StreamDockerAsync(HttpMethod method, string path, CancellationToken ct) =>
        OpenAsync(method, DockerPrefix + path, null, ct);

    public void Dispose() => _http.Dispose();

    private static ByteArrayContent Json<T>(T body, JsonTypeInfo<T> type)
    {
        var content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(body, type));
        content.Headers.ContentType = new("application/json");
        return content;
    }

    private async Task<HttpResponseMessage> OpenAsync(HttpMethod method, string address, HttpContent? body, CancellationToken ct)
    {
        var response = await SendAsync(method, address, body, HttpCompletionOption.ResponseHeadersRead, ct);
        try
        {
            await EnsureAsync(response, ct);
            return response;
        }
        catch
        {
            response.Dispose();
            throw;
        }
    }

    private async Task<HttpResponseMessage> SendAsync(
        HttpMethod method,
        string address,
        HttpContent? body,
        HttpCompletionOption completion,
        CancellationToken ct)
    {
        using var request = new HttpRequestMessage(method, address) { Content = body };
        try
        {
            return await _http.SendAsync(request, completion, ct);
        }
        catch (HttpRequestException e) when (e.InnerException is McpException own)
        {
            // From our own connect: podman could not be started, and why.
            throw own;
        }
        catch (HttpRequestException e) when (e.HttpRequestError == HttpRequestError.ConfigurationLimitExceeded)
        {
            throw new LibpodException(0, $"podman's answer is longer than {LongestAnswer >> 20} MiB", e);
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            throw new LibpodException(0, $"podman cannot be reached: {(e.InnerException ?? e).Message}", e);
        }
    }

    private static async Task EnsureAsync(HttpResponseMessage response, CancellationToken ct)
    {
        if (response.IsSuccessStatusCode)
            return;
        var text = Encoding.UTF8.GetString(await BoundedBody.ReadAsync(response.Content, LongestError, ct));
        try
        {
            var error = JsonSerializer.Deserialize(text, LibpodJson.Default.LibpodError);
            text = error?.Message ?? error?.Cause ?? error?.Error ?? text;
        }
        catch (JsonException)
        {
            // Not podman's error shape: the text itself is the best we have.
        }

        throw new LibpodException(response.StatusCode, text.Trim());
    }

    // A podman that hangs or answers half is no different from one that is away.
    private static async Task<T> WithinAsync<T>(TimeSpan time, Func<CancellationToken, Task<T>> call, CancellationToken ct)
    {
        using var limit = new Within(time, ct);
        try
        {
            return await call(limit.Token);
        }
        catch (OperationCanceledException e) when (limit.IsOver)
        {
            throw new LibpodException(0, $"podman did not answer within {time.TotalSeconds:0} s", e);
        }
        catch (Exception e) when (e is JsonException or IOException)
        {
            throw new LibpodException(0, $"podman's answer cannot be read: {e.Message}", e);
        }
    }
}
