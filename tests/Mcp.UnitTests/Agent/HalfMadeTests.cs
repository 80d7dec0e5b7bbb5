using System.Security.Cryptography;
using Mcp.Agent;
using Mcp.Agent.Membership;
using Mcp.Daemon.Identity;
using Mcp.Model.Errors;
using Mcp.Model.Names;

namespace Mcp.UnitTests.Agent;

/// <summary>State directories of an init or a join that did not come to its end.</summary>
public sealed class HalfMadeTests : IDisposable
{
    private const string Master = "127.0.0.1:1";
    private readonly string _directory = Directory.CreateTempSubdirectory("mcp-half").FullName;

    private string State => Path.Combine(_directory, "state");

    private string Config => Path.Combine(State, "agent.toml");

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private async Task<int> Join(string token = "no token")
    {
        var file = Path.Combine(_directory, "token");
        await File.WriteAllTextAsync(file, token);
        return await AgentInit.JoinAsync(State, Master, file, "127.0.0.1:7443", "stern", TextWriter.Null, CancellationToken.None);
    }

    private void BecomeMember(params string[] roles) => BecomeMember("stern", roles);

    private void BecomeMember(string name, string[] roles)
    {
        using var authority = CertificateAuthority.Create(_directory, "mcp fleet", TimeProvider.System.GetUtcNow());
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var signed = authority.Sign(
            Joining.Request(key),
            new PeerName(Label.Parse(name), false),
            [],
            TimeProvider.System.GetUtcNow(),
            TimeSpan.FromDays(1));
        var given = new Protocol.V1.Membership
        {
            Ca = authority.Certificate.ExportCertificatePem(),
            Certificate = signed.ExportCertificatePem(),
            TokenKey = "none",
        };
        given.Roles.AddRange(roles);
        Directory.CreateDirectory(Member.DirectoryOf(State) + ".new");
        Member.Write(State, Master, given, key);
    }

    [Fact]
    public async Task A_join_that_fails_leaves_nothing_behind()
    {
        await Assert.ThrowsAsync<McpException>(() => Join());
        Assert.False(Directory.Exists(State));
        Directory.CreateDirectory(State);
        await Assert.ThrowsAsync<McpException>(() => Join());
        Assert.Empty(Directory.EnumerateFileSystemEntries(State));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_join_that_was_killed_before_its_file_was_there_is_finished_by_the_next_one(bool edge)
    {
        BecomeMember(edge ? ["worker", "edge"] : ["worker"]);
        await File.WriteAllTextAsync(Config + ".new", "half writ");
        Assert.Equal(0, await Join());
        Assert.Equal(edge, AgentConfig.Read(Config).Edge is not null);
        Assert.Equal(["agent.toml", "member"], Directory.EnumerateFileSystemEntries(State).Select(e => Path.GetFileName(e)!).Order());
    }

    [Fact]
    public async Task A_member_is_not_given_another_name_in_silence()
    {
        BecomeMember("bow", ["worker"]);
        var error = await Assert.ThrowsAsync<McpException>(() => Join());
        Assert.Contains("as bow, not as stern", error.Message);
        Assert.Contains("--name bow", error.Hint);
        Assert.Equal(["member"], Directory.EnumerateFileSystemEntries(State).Select(e => Path.GetFileName(e)!));
    }

    [Theory]
    [InlineData("agent", "registry.db")]
    [InlineData("master", "master.db")]
    public void An_init_where_a_daemon_has_run_keeps_its_keys_or_says_which_are_gone(string program, string database)
    {
        Init();
        var before = Keys();
        File.WriteAllText(Path.Combine(State, database), "");
        File.Delete(Path.Combine(State, $"{program}.toml"));
        Init();
        Assert.Equal(before, Keys());
        File.Delete(Path.Combine(State, $"{program}.toml"));
        File.Delete(Path.Combine(State, "ca.key"));
        var told = Assert.Throws<McpException>(Init);
        Assert.Equal((ErrorCode.InitKeys, $"{State} is in use, and has no ca.key"), (told.Code, told.Message));

        void Init() => _ = program == "agent"
            ? AgentInit.Run(State, "127.0.0.1:7443", "stern", TimeProvider.System, TextWriter.Null)
            : Mcp.Master.MasterInit.Run(State, "127.0.0.1:7443", "main", TimeProvider.System, TextWriter.Null);
        string[] Keys() =>
            [.. ((string[])["ca.crt", "ca.key", "token.key", "admin.token"]).Select(f => File.ReadAllText(Path.Combine(State, f)))];
    }

    [Fact]
    public void An_init_that_was_killed_is_finished_by_the_next_one()
    {
        Directory.CreateDirectory(State);
        foreach (var half in (string[])["ca.key", "ca.crt", "server.pem", "token.key", "admin.token", "agent.toml.new", "master.toml.new"])
            File.WriteAllText(Path.Combine(State, half), "half writ");
        var error = Assert.Throws<McpException>(() => Mcp.Master.MasterConfig.Read(Path.Combine(State, "master.toml")));
        Assert.Contains($"mcp-master init --state {State}", error.Hint);
        Assert.Equal(0, AgentInit.Run(State, "127.0.0.1:7443", "stern", TimeProvider.System, TextWriter.Null));
        Assert.Equal("stern", AgentConfig.Read(Config).Name.Text);
        Assert.Equal(0, Mcp.Master.MasterInit.Run(State, "127.0.0.1:7443", "main", TimeProvider.System, TextWriter.Null));
        Assert.Equal("main", Mcp.Master.MasterConfig.Read(Path.Combine(State, "master.toml")).Name.Text);
        Assert.Empty(Directory.EnumerateFiles(State, "*.new"));
    }

    [Theory]
    [InlineData("member.new/", "a join was interrupted", "mcp-agent join")]
    [InlineData("member/", "a join was interrupted", "mcp-agent join")]
    [InlineData("ca.key", "an init was interrupted", "mcp-agent init")]
    public void Run_on_a_half_made_directory_says_what_is_missing_and_what_to_do(string there, string what, string hint)
    {
        Directory.CreateDirectory(Path.Combine(State, Path.GetDirectoryName(there)!));
        if (!there.EndsWith('/'))
            File.WriteAllText(Path.Combine(State, there), "");
        var error = Assert.Throws<McpException>(() => AgentConfig.Read(Config));
        Assert.Contains(what, error.Message);
        Assert.Contains($"{hint} --state {State}", error.Hint);
    }
}
