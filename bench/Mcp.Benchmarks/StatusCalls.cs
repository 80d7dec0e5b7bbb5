using System.Globalization;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Grpc.Core;
using Grpc.Net.Client;
using Mcp.Protocol.V1;

namespace Mcp.Benchmarks;

/// <summary>Status calls one after the other over one connection to a real agent; prints percentiles in ms.</summary>
internal static class StatusCalls
{
    public static async Task<int> RunAsync(string loginFile, int calls)
    {
        using var login = JsonDocument.Parse(await File.ReadAllTextAsync(loginFile));
        using var authority = X509Certificate2.CreateFromPem(login.RootElement.GetProperty("Ca").GetString());
        using var channel = GrpcChannel.ForAddress($"https://{login.RootElement.GetProperty("Address").GetString()}", new GrpcChannelOptions
        {
            HttpHandler = new SocketsHttpHandler
            {
                SslOptions = new SslClientAuthenticationOptions { CertificateChainPolicy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, CustomTrustStore = { authority }, RevocationMode = X509RevocationMode.NoCheck } },
            },
        });
        var client = new Agent.AgentClient(channel);
        var headers = new Metadata { { "authorization", $"Bearer {login.RootElement.GetProperty("Token").GetString()}" } };
        var time = TimeProvider.System;
        for (var i = 0; i < 500; i++)
            await client.StatusAsync(new StatusRequest(), headers);
        var took = new double[calls];
        var components = 0;
        for (var i = 0; i < calls; i++)
        {
            var started = time.GetTimestamp();
            components = (await client.StatusAsync(new StatusRequest(), headers)).Components.Count;
            took[i] = time.GetElapsedTime(started).TotalMilliseconds;
        }

        Array.Sort(took);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{calls} status calls of {components} components: p50 {took[calls / 2]:0.00} ms, p99 {took[calls * 99 / 100]:0.00} ms, max {took[^1]:0.00} ms"));
        return 0;
    }
}
