using Mcp.Daemon.Identity;
using Mcp.Model;

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
        var e = Assert.Throws<McpException>(() => new RoleTable((Protocol.V1.Agent.Descriptor, RpcRoles.Agent.Where(r => r.Key != "Deploy").ToDictionary())));
        Assert.Contains("Deploy", e.Message, StringComparison.Ordinal);
    }

    private sealed class Later(TimeSpan by) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + by;
    }
}
