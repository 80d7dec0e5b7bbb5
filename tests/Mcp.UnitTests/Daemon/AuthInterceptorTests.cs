using System.Net;
using System.Reflection;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Health.V1;
using Grpc.HealthCheck;
using Mcp.Daemon.Identity;
using Mcp.Daemon.Lifecycle;
using Mcp.Model.Names;
using Mcp.Protocol.V1;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;

namespace Mcp.UnitTests.Daemon;

/// <summary>A real gRPC server with our interceptor, and a service of all four kinds that no role table knows.</summary>
public sealed class AuthInterceptorTests : IAsyncLifetime
{
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-auth").FullName;
    private readonly TokenSigner _tokens = new(TokenSigner.NewKey(), TimeProvider.System);
    private CertificateAuthority _authority = null!;
    private WebApplication _app = null!;

    public async ValueTask InitializeAsync()
    {
        _authority = CertificateAuthority.Create(_directory, "test", TimeProvider.System.GetUtcNow());
        var own = _authority.IssuePeer(
            new PeerName(Label.Parse("one"), false),
            ["127.0.0.1"],
            TimeProvider.System.GetUtcNow(),
            TimeSpan.FromDays(1));
        var builder = Bare.Builder();
        builder.Services.AddRouting();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.ListenGrpc(
            new IPEndPoint(IPAddress.Loopback, 0),
            () => own,
            _authority.Certificate));
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton(_tokens);
        builder.Services.AddSingleton(new RoleTable((Protocol.V1.Agent.Descriptor, RpcRoles.Agent)));
        builder.Services.AddSingleton(new AuditLog(Path.Combine(_directory, "audit.log"), TimeProvider.System));
        builder.Services.AddSingleton<Authenticate>();
        builder.Services.AddSingleton<AuthInterceptor>();
        var health = new HealthServiceImpl();
        health.SetStatus("", HealthCheckResponse.Types.ServingStatus.Serving);
        builder.Services.AddSingleton(health);
        builder.Services.AddGrpc(grpc => grpc.Interceptors.Add<AuthInterceptor>());
        _app = builder.Build();
        _app.MapGrpcService<Echo>();
        _app.MapGrpcService<HealthServiceImpl>();
        await _app.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        using var atOnce = new CancellationTokenSource(TimeSpan.FromMilliseconds(50));
        await _app.StopAsync(atOnce.Token);
        await _app.DisposeAsync();
        _authority.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public void Every_kind_of_call_is_guarded()
    {
        var kinds = typeof(Interceptor).GetMethods(BindingFlags.Instance | BindingFlags.Public)
            .Where(m => m.IsVirtual && m.Name.EndsWith("ServerHandler", StringComparison.Ordinal))
            .ToList();
        Assert.Equal(4, kinds.Count);
        Assert.All(kinds, k => Assert.Equal(typeof(AuthInterceptor), typeof(AuthInterceptor).GetMethod(k.Name)!.DeclaringType));
    }

    [Fact]
    public async Task A_certificate_for_servers_alone_is_nobodys_and_ends_the_connection()
    {
        var deadline = TimeProvider.System.GetUtcNow().UtcDateTime.AddSeconds(20);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=x", key, HashAlgorithmName.SHA256).CreateSigningRequestPem();
        var now = TimeProvider.System.GetUtcNow();
        foreach (var (signed, counts) in new[]
        {
            (_authority.Sign(request, new PeerName(Label.Parse("two"), false), [], now, TimeSpan.FromDays(1)), true),
            (_authority.SignServer(request, "blog.mcp.internal", ["blog.mcp.internal"], now, TimeSpan.FromDays(1)), false),
        })
        {
            using var whole = signed.CopyWithPrivateKey(key);
            using var own = X509CertificateLoader.LoadPkcs12(whole.Export(X509ContentType.Pkcs12), null);
            using var channel = PeerTls.Channel(new Uri(_app.Urls.Single()).Authority, "one.node.mcp", _authority.Certificate, own);
            var asked = new Health.HealthClient(channel).CheckAsync(new HealthCheckRequest(), deadline: deadline).ResponseAsync;
            if (counts)
                Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, (await asked).Status);
            else
                Assert.Equal(StatusCode.Unavailable, (await Assert.ThrowsAsync<RpcException>(() => asked)).StatusCode);
        }
    }

    [Fact]
    public async Task A_call_of_any_kind_without_a_token_is_refused()
    {
        var before = EchoRpc.Served;
        using var channel = PeerTls.Channel(new Uri(_app.Urls.Single()).Authority, "one.node.mcp", _authority.Certificate, null);
        var invoker = channel.CreateCallInvoker();
        var options = new CallOptions(deadline: TimeProvider.System.GetUtcNow().UtcDateTime.AddSeconds(20));
        await RefusedAsync(() => invoker.AsyncUnaryCall(EchoRpc.Unary, null, options, new WhoAmIRequest()).ResponseAsync);
        await RefusedAsync(() => invoker.AsyncServerStreamingCall(EchoRpc.ServerStream, null, options, new WhoAmIRequest()).ResponseStream
            .MoveNext(default));
        await RefusedAsync(async () =>
        {
            using var call = invoker.AsyncClientStreamingCall(EchoRpc.ClientStream, null, options);
            await call.RequestStream.CompleteAsync();
            await call.ResponseAsync;
        });
        await RefusedAsync(async () =>
        {
            using var call = invoker.AsyncDuplexStreamingCall(EchoRpc.Duplex, null, options);
            await call.ResponseStream.MoveNext(default);
        });
        Assert.Equal(before, EchoRpc.Served);
    }

    [Fact]
    public async Task Health_is_told_without_a_token_and_is_not_to_be_watched()
    {
        using var channel = PeerTls.Channel(new Uri(_app.Urls.Single()).Authority, "one.node.mcp", _authority.Certificate, null);
        var health = new Health.HealthClient(channel);
        var deadline = TimeProvider.System.GetUtcNow().UtcDateTime.AddSeconds(20);
        Assert.Equal(
            HealthCheckResponse.Types.ServingStatus.Serving,
            (await health.CheckAsync(new HealthCheckRequest(), deadline: deadline)).Status);
        using var watch = health.Watch(new HealthCheckRequest(), deadline: deadline);
        await RefusedAsync(() => watch.ResponseStream.MoveNext(default));
    }

    private static async Task RefusedAsync(Func<Task> call) =>
        Assert.Equal(StatusCode.Unauthenticated, (await Assert.ThrowsAsync<RpcException>(call)).StatusCode);
}

/// <summary>Each kind of call once; counts those that came through.</summary>
[BindServiceMethod(typeof(EchoRpc), nameof(Bind))]
internal class EchoRpc
{
    private const string Name = "test.Echo";
    private static readonly Marshaller<WhoAmIRequest> s_request = new(
        Google.Protobuf.MessageExtensions.ToByteArray,
        WhoAmIRequest.Parser.ParseFrom);
    private static readonly Marshaller<WhoAmIReply> s_reply = new(
        Google.Protobuf.MessageExtensions.ToByteArray,
        WhoAmIReply.Parser.ParseFrom);

    public static readonly Method<WhoAmIRequest, WhoAmIReply> Unary = new(MethodType.Unary, Name, nameof(OnUnary), s_request, s_reply);
    public static readonly Method<WhoAmIRequest, WhoAmIReply> ServerStream = new(
        MethodType.ServerStreaming,
        Name,
        nameof(OnServerStream),
        s_request,
        s_reply);
    public static readonly Method<WhoAmIRequest, WhoAmIReply> ClientStream = new(
        MethodType.ClientStreaming,
        Name,
        nameof(OnClientStream),
        s_request,
        s_reply);
    public static readonly Method<WhoAmIRequest, WhoAmIReply> Duplex = new(
        MethodType.DuplexStreaming,
        Name,
        nameof(OnDuplex),
        s_request,
        s_reply);

    private static int s_served;

    public static int Served => Volatile.Read(ref s_served);

    public static void Bind(ServiceBinderBase binder, EchoRpc? rpc)
    {
        binder.AddMethod(Unary, rpc is null ? null : new UnaryServerMethod<WhoAmIRequest, WhoAmIReply>(rpc.OnUnary));
        binder.AddMethod(
            ClientStream,
            rpc is null ? null : new ClientStreamingServerMethod<WhoAmIRequest, WhoAmIReply>(rpc.OnClientStream));
        binder.AddMethod(
            ServerStream,
            rpc is null ? null : new ServerStreamingServerMethod<WhoAmIRequest, WhoAmIReply>(rpc.OnServerStream));
        binder.AddMethod(Duplex, rpc is null ? null : new DuplexStreamingServerMethod<WhoAmIRequest, WhoAmIReply>(rpc.OnDuplex));
    }

    public virtual Task<WhoAmIReply> OnUnary(WhoAmIRequest request, ServerCallContext context) => ServedAsync();

    public virtual Task<WhoAmIReply> OnClientStream(IAsyncStreamReader<WhoAmIRequest> requests, ServerCallContext context) => ServedAsync();

    public virtual Task OnServerStream(WhoAmIRequest request, IServerStreamWriter<WhoAmIReply> replies, ServerCallContext context) =>
        ServedAsync();

    public virtual Task OnDuplex(
        IAsyncStreamReader<WhoAmIRequest> requests,
        IServerStreamWriter<WhoAmIReply> replies,
        ServerCallContext context) => ServedAsync();

    private static Task<WhoAmIReply> ServedAsync()
    {
        Interlocked.Increment(ref s_served);
        return Task.FromResult(new WhoAmIReply());
    }
}

/// <summary>As generated services are: the base has the methods.</summary>
internal sealed class Echo : EchoRpc;
