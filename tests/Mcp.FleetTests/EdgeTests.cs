using System.Text.Json;
using Mcp.FleetTests.Hosts;

namespace Mcp.FleetTests;

/// <summary>The public's way in: the edge node, certificates of a real ACME server, clients outside.</summary>
[Collection("fleet")]
public class EdgeTests(Fleet fleet)
{
    [Fact]
    public async Task A_public_service_answers_the_world_moves_under_load_and_leaves_without_a_trace()
    {
        await fleet.McpOkAsync("deploy", fleet.Write("blog", isPublic: true), "--node", "beech");
        Assert.Equal(Fleet.Address("beech"), await fleet.LookUpAsync("blog"));
        Assert.Equal(("hello from v1", "200"), await fleet.Outside.GetAsync("blog.example.com"));
        var (_, redirected, _) = await fleet.Outside.RunAsync(
            "curl",
            "-sS",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code} %{redirect_url}",
            "-H",
            "Host: blog.example.com",
            $"http://{Outside.EdgeAddress}/post?x=1");
        Assert.Equal("308 https://blog.example.com/post?x=1", redirected);
        var listed = await fleet.McpOkAsync("edge", "list");
        Assert.Matches(
            @"blog\.example\.com +elder +https://blog\.mcp\.internal:8444 +100\.64\.7\.2 +acme +[0-9A-F]+ +20\d\d-\d\d-\d\d +ok",
            listed);
        Assert.Contains("everywhere, at elder", await fleet.McpOkAsync("route", "list"), StringComparison.Ordinal);
        Assert.Contains("CERTIFICATE UNTIL", await fleet.McpOkAsync("status"), StringComparison.Ordinal);

        using var stop = new CancellationTokenSource();
        var asking = Task.Run(async () =>
        {
            var (asked, failed) = (0, new List<string>());
            while (!stop.IsCancellationRequested)
            {
                if (await fleet.Outside.GetAsync("blog.example.com") is var answer && answer != ("hello from v1", "200"))
                    failed.Add($"{answer}");
                asked++;
            }

            return (asked, failed);
        });
        foreach (var node in (string[])["cedar", "beech", "cedar"])
            await fleet.McpOkAsync("deploy", fleet.Write("blog", isPublic: true), "--node", node);
        await stop.CancelAsync();
        var (count, failures) = await asking;
        Assert.Empty(failures);
        Assert.True(count > 20, $"only {count} requests");
        Assert.Contains(Fleet.Address("cedar"), await fleet.McpOkAsync("edge", "list"), StringComparison.Ordinal);

        await fleet.McpOkAsync("undeploy", "blog");
        Assert.Equal("", await fleet.LookUpAsync("blog"));
        Assert.Equal("000", (await fleet.Outside.GetAsync("blog.example.com")).Status);
        Assert.Contains("no public routes", await fleet.McpOkAsync("edge", "list"), StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(Path.Combine(fleet.State(Fleet.Edge), "edge"), "*blog.example.com*", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task A_hostname_outside_the_allowed_domains_is_refused_before_anything_is_touched()
    {
        var (exitCode, _, error) = await fleet.McpAsync("deploy", fleet.Write("bank", hostname: "www.bank.test", isPublic: true));
        Assert.NotEqual(0, exitCode);
        Assert.Contains("www.bank.test of bank lies outside the allowed domains", error, StringComparison.Ordinal);
        Assert.DoesNotContain(await fleet.StatusAsync(), c => c.Service == "bank");
        Assert.Equal("", await fleet.LookUpAsync("bank"));
    }

    [Fact]
    public async Task A_deploy_that_names_another_hostname_gives_the_old_one_back()
    {
        await fleet.McpOkAsync("deploy", fleet.Write("shop", hostname: "old.example.com", isPublic: true));
        await fleet.McpOkAsync("deploy", fleet.Write("shop", hostname: "new.example.com", isPublic: true));
        Assert.Equal("200", (await fleet.Outside.GetAsync("new.example.com")).Status);
        Assert.Equal("000", (await fleet.Outside.GetAsync("old.example.com")).Status);
        var (_, _, error) = await fleet.McpAsync("deploy", fleet.Write("thief", hostname: "new.example.com", isPublic: true));
        Assert.Contains("new.example.com belongs to the service shop", error, StringComparison.Ordinal);
        await fleet.McpOkAsync("deploy", fleet.Write("second", hostname: "old.example.com", isPublic: true));
        Assert.Equal("200", (await fleet.Outside.GetAsync("old.example.com")).Status);
        await fleet.McpOkAsync("undeploy", "shop");
        await fleet.McpOkAsync("undeploy", "second");
    }

    [Fact]
    public async Task A_backend_must_lie_in_the_overlay_when_it_is_set_up_and_ever_after()
    {
        await fleet.McpOkAsync("deploy", fleet.Write("bait"), "--node", "beech");
        await fleet.Outside.NameAsync("bait.mcp.internal", "127.0.0.1");
        Assert.Contains(
            "bait.mcp.internal is 127.0.0.1, which is not in the overlay",
            await fleet.Outside.SetupAsync("bait.example.com", "bait", "https://bait.mcp.internal:8444"),
            StringComparison.Ordinal);
        await fleet.Outside.NameAsync("bait.mcp.internal", Fleet.Address("beech"), "169.254.169.254");
        Assert.Contains(
            "169.254.169.254, which is not in the overlay",
            await fleet.Outside.SetupAsync("bait.example.com", "bait", "https://bait.mcp.internal:8444"),
            StringComparison.Ordinal);
        Assert.Contains(
            "is not reached over TLS",
            await fleet.Outside.SetupAsync("bait.example.com", "bait", "http://bait.mcp.internal:8080"),
            StringComparison.Ordinal);
        Assert.Contains(
            "the backend of bait is bait.mcp.internal",
            await fleet.Outside.SetupAsync("bait.example.com", "bait", "https://other.mcp.internal:8444"),
            StringComparison.Ordinal);
        Assert.Contains(
            "is not a hostname",
            await fleet.Outside.SetupAsync("../../etc", "bait", "https://bait.mcp.internal:8444"),
            StringComparison.Ordinal);
        Assert.Empty(await EdgeFilesAsync("bait"));

        // Good while it is looked at, elsewhere afterwards.
        await fleet.Outside.NameAsync("bait.mcp.internal", Fleet.Address("beech"));
        Assert.Contains(
            "grpc-status: 0",
            await fleet.Outside.SetupAsync("bait.example.com", "bait", "https://bait.mcp.internal:8444"),
            StringComparison.Ordinal);
        await fleet.Outside.NameAsync("bait.mcp.internal", "127.0.0.1");
        await Fleet.UntilAsync(
            async () => (await fleet.McpAsync("events")).Output.Contains("edge.refused", StringComparison.Ordinal)
                || (await fleet.McpAsync("edge", "list")).Output.Contains("no public routes", StringComparison.Ordinal),
            "the other address is refused");
        // Nobody asked the master for this one: it takes it away.
        await Fleet.UntilAsync(
            async () => (await fleet.McpAsync("edge", "list")).Output.Contains("no public routes", StringComparison.Ordinal),
            "the master removes what no service wants");
        await fleet.McpOkAsync("undeploy", "bait");
    }

    [Fact]
    public async Task A_name_that_leads_elsewhere_gets_no_certificate_and_leaves_nothing()
    {
        await fleet.Outside.NameAsync("away.example.com", Outside.Address);
        var (exitCode, output, error) = await fleet.McpAsync("deploy", fleet.Write("away", isPublic: true), "--node", "cedar");
        Assert.NotEqual(0, exitCode);
        Assert.Contains("issued no certificate for away.example.com", output + error, StringComparison.Ordinal);
        Assert.Empty(await EdgeFilesAsync("away"));
        Assert.DoesNotContain("away.example.com", (await fleet.McpAsync("edge", "list")).Output, StringComparison.Ordinal);

        // Once it leads here, the same command goes on.
        await fleet.Outside.NameAsync("away.example.com", Outside.EdgeAddress);
        await fleet.McpOkAsync("deploy", fleet.Write("away", isPublic: true), "--node", "cedar");
        Assert.Equal(("hello from v1", "200"), await fleet.Outside.GetAsync("away.example.com"));
        await fleet.McpOkAsync("undeploy", "away");
    }

    [Fact]
    public async Task An_edge_node_that_was_killed_serves_on_and_one_that_lost_everything_is_set_up_again()
    {
        await fleet.McpOkAsync("deploy", fleet.Write("wiki", isPublic: true), "--node", "beech");
        await fleet.KillAgentAsync(Fleet.Edge);
        Assert.Equal("200", (await fleet.Outside.GetAsync("wiki.example.com")).Status);
        // The proxy too: its routes are with it.
        await fleet.KillProxyAsync(Fleet.Edge);
        Assert.Equal("000", (await fleet.Outside.GetAsync("wiki.example.com")).Status);
        fleet.StartAgent(Fleet.Edge);
        await Fleet.UntilAsync(async () => (await fleet.Outside.GetAsync("wiki.example.com")).Status == "200", "the edge serves again");

        // It moves while the edge node is away; the edge node hears of it when it is back.
        await fleet.CutAsync(Fleet.Edge);
        try
        {
            await Fleet.UntilAsync(
                async () => (await fleet.NodesAsync()).Contains((Fleet.Edge, "unreachable")),
                "the edge node is unreachable");
            await fleet.McpOkAsync("deploy", fleet.Write("wiki", isPublic: true), "--node", "cedar");
        }
        finally
        {
            await fleet.MendAsync(Fleet.Edge);
        }

        await Fleet.UntilAsync(async () => (await fleet.Outside.GetAsync("wiki.example.com")).Status == "200", "the edge follows");

        // A new machine under the old name.
        await fleet.KillAgentAsync(Fleet.Edge);
        await fleet.KillProxyAsync(Fleet.Edge);
        foreach (var file in Directory.GetFiles(fleet.State(Fleet.Edge), "registry.db*")
            .Append(Path.Combine(fleet.State(Fleet.Edge), "routes.json")))
        {
            File.Delete(file);
        }

        Directory.Delete(Path.Combine(fleet.State(Fleet.Edge), "edge"), recursive: true);
        fleet.StartAgent(Fleet.Edge);
        await Fleet.UntilAsync(async () => (await fleet.Outside.GetAsync("wiki.example.com")).Status == "200", "the route is made again");
        await fleet.McpOkAsync("undeploy", "wiki");
    }

    [Fact]
    public async Task A_service_that_is_undeployed_while_its_edge_node_is_away_is_taken_off_it_later()
    {
        await fleet.McpOkAsync("deploy", fleet.Write("late", isPublic: true));
        await fleet.CutAsync(Fleet.Edge);
        var (exitCode, _, error) = await fleet.McpAsync("undeploy", "late");
        await fleet.MendAsync(Fleet.Edge);
        Assert.NotEqual(0, exitCode);
        Assert.Contains("edge: node elder", error, StringComparison.Ordinal);
        await Fleet.UntilAsync(async () => (await fleet.Outside.GetAsync("late.example.com")).Status == "000", "the route is removed");
        Assert.Empty(await EdgeFilesAsync("late"));
    }

    [Fact]
    public async Task A_certificate_near_its_end_is_renewed_by_itself_with_the_same_account()
    {
        await fleet.McpOkAsync("deploy", fleet.Write("aged", isPublic: true));
        var edge = Path.Combine(fleet.State(Fleet.Edge), "edge");
        var account = await File.ReadAllTextAsync(Assert.Single(Directory.GetFiles(
            Path.Combine(edge, "acme", "accounts"),
            "*.key",
            SearchOption.AllDirectories)));
        var file = Path.Combine(edge, "certificates", "aged.example.com.pem");
        var first = await File.ReadAllTextAsync(file);
        // One that began thirty days ago and has one left, in its place.
        using var key = System.Security.Cryptography.ECDsa.Create();
        var request = new System.Security.Cryptography.X509Certificates.CertificateRequest(
            "CN=aged",
            key,
            System.Security.Cryptography.HashAlgorithmName.SHA256);
        var names = new System.Security.Cryptography.X509Certificates.SubjectAlternativeNameBuilder();
        names.AddDnsName("aged.example.com");
        request.CertificateExtensions.Add(names.Build());
        var now = TimeProvider.System.GetUtcNow();
        using var old = request.CreateSelfSigned(now.AddDays(-30), now.AddDays(1));
        await File.WriteAllTextAsync(file, $"source: acme\n{old.ExportCertificatePem()}\n{key.ExportPkcs8PrivateKeyPem()}");
        await Fleet.UntilAsync(
            async () => await File.ReadAllTextAsync(file) is var text
                && text != first
                && !text.Contains(old.ExportCertificatePem(), StringComparison.Ordinal),
            "there is a new certificate");
        Assert.Equal(("hello from v1", "200"), await fleet.Outside.GetAsync("aged.example.com"));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        Assert.Equal(
            account,
            await File.ReadAllTextAsync(Assert.Single(Directory.GetFiles(
                Path.Combine(edge, "acme", "accounts"),
                "*.key",
                SearchOption.AllDirectories))));
        var events = await fleet.McpOkAsync("events");
        Assert.Contains("certificate.expiring", events, StringComparison.Ordinal);
        Assert.Contains("certificate.renewed", events, StringComparison.Ordinal);
        await fleet.McpOkAsync("undeploy", "aged");
    }

    [Fact]
    public async Task An_edge_agent_killed_at_any_moment_of_a_set_up_or_a_removal_loses_and_leaves_nothing()
    {
        for (var i = 0; i < 8; i++)
        {
            // A hostname of its own: a public CA gives only so many certificates for one.
            var (name, hostname) = ("frail", $"frail{i}.example.com");
            var file = fleet.Write(name, hostname: hostname, isPublic: true);
            await KilledAsync(() => fleet.McpAsync("deploy", file), i);
            await fleet.McpOkAsync("deploy", file);
            Assert.Equal(("hello from v1", "200"), await fleet.Outside.GetAsync(hostname));
            await KilledAsync(() => fleet.McpAsync("undeploy", name), i);
            await Fleet.UntilAsync(
                async () => (await fleet.McpAsync("edge", "list")).Output.Contains("no public routes", StringComparison.Ordinal),
                "the route is removed");
            Assert.Empty(await EdgeFilesAsync($"frail{i}"));
            Assert.Equal("000", (await fleet.Outside.GetAsync(hostname)).Status);
        }

        // While it is at work; then it is started again.
        async Task KilledAsync(Func<Task> work, int round)
        {
            var working = work();
            await Task.Delay(round * 120);
            await fleet.KillAgentAsync(Fleet.Edge);
            fleet.StartAgent(Fleet.Edge);
            await working;
            await Fleet.UntilAsync(
                async () => (await fleet.NodesAsync()).Contains((Fleet.Edge, "reachable"))
                    && (await fleet.McpAsync("edge", "list")).Output.Length > 0
                    && !(await fleet.McpAsync("edge", "list")).Output.Contains("unreachable", StringComparison.Ordinal),
                "the edge node is back");
        }
    }

    private async Task<string[]> EdgeFilesAsync(string service)
    {
        using var listed = JsonDocument.Parse((await fleet.McpAsync("edge", "list", "-o", "json")).Output);
        var routes = listed.RootElement.GetProperty("routes")
            .EnumerateArray()
            .Select(r => r.GetProperty("hostname").GetString()!)
            .Where(h => h.StartsWith($"{service}.", StringComparison.Ordinal));
        var directory = Path.Combine(fleet.State(Fleet.Edge), "edge");
        return [
            .. routes,
            .. Directory.Exists(directory) ? Directory.GetFiles(directory, $"{service}.*", SearchOption.AllDirectories) : [],
        ];
    }
}
