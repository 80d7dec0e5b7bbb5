using Mcp.Daemon.Identity;
using Mcp.Model.Errors;
using Mcp.TestKit.Fakes;

namespace Mcp.UnitTests.Daemon;

public class IdentityTests
{
    [Fact]
    public async Task A_token_says_who_and_which_role()
    {
        var signer = new TokenSigner(TokenSigner.NewKey(), TimeProvider.System);
        var (caller, _) = await signer.VerifyAsync(signer.Issue("ann", Role.Deployer, TimeSpan.FromHours(1)));
        Assert.Equal(("ann", Role.Deployer), (caller!.Name, caller.Role));
    }

    [Fact]
    public async Task An_expired_token_is_refused_and_says_so()
    {
        var key = TokenSigner.NewKey();
        var token = new TokenSigner(key, TimeProvider.System).Issue("ann", Role.Admin, TimeSpan.FromSeconds(1));
        var (caller, refusal) = await new TokenSigner(key, new Later(TimeSpan.FromHours(1))).VerifyAsync(token);
        Assert.Null(caller);
        Assert.Equal("the token has expired", refusal);
    }

    [Fact]
    public async Task A_token_of_another_authority_or_garbage_is_refused()
    {
        var mine = new TokenSigner(TokenSigner.NewKey(), TimeProvider.System);
        var other = new TokenSigner(TokenSigner.NewKey(), TimeProvider.System).Issue("eve", Role.Admin, TimeSpan.FromHours(1));
        Assert.Null((await mine.VerifyAsync(other)).Caller);
        Assert.Null((await mine.VerifyAsync("x.y.z")).Caller);
        Assert.Null((await mine.VerifyAsync("")).Caller);
    }

    [Fact]
    public void Every_rpc_names_its_role()
    {
        _ = new RoleTable((Protocol.V1.Agent.Descriptor, RpcRoles.Agent), (Protocol.V1.Master.Descriptor, RpcRoles.Master));
        var e = Assert.Throws<McpException>(() => new RoleTable(
            (Protocol.V1.Agent.Descriptor, RpcRoles.Agent.Where(r => r.Key != "Deploy").ToDictionary())));
        Assert.Contains("Deploy", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_peer_is_believed_only_under_the_name_in_its_certificate_wherever_it_is()
    {
        var directory = Directory.CreateTempSubdirectory("mcp-ca").FullName;
        using var authority = CertificateAuthority.Create(directory, "fleet", TimeProvider.System.GetUtcNow());
        await using var agents = await FakeAgents.StartAsync(["evil"], authority);
        foreach (var (name, believed) in ((string, bool)[])[
            ("evil.node.mcp", true),
            (PeerName.MasterTlsName, false),
            ("good.node.mcp", false),
            ("127.0.0.1", true),
        ])
        {
            using var channel = PeerTls.Channel(agents["evil"].Address, name, authority.Certificate, null);
            var call = new Protocol.V1.Agent.AgentClient(channel).NodeStatusAsync(
                new Protocol.V1.NodeStatusRequest(),
                deadline: TimeProvider.System.GetUtcNow().UtcDateTime.AddSeconds(5)).ResponseAsync;
            if (believed)
                Assert.Equal("evil", (await call).Node);
            else
                await Assert.ThrowsAsync<Grpc.Core.RpcException>(() => call);
        }

        Directory.Delete(directory, recursive: true);
    }

    private sealed class Later(TimeSpan by) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + by;
    }
}
