using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Grpc.Core;
using Grpc.Net.Client;
using Mcp.Daemon.Identity;
using Mcp.Protocol.V1;
using Mcp.TestKit.Fakes;

namespace Mcp.Benchmarks;

/// <summary>The published master with a fleet of in-process agents: joins, deploys, heartbeats, status of everything and of one, dead nodes. The agents and the client share the machine's cores with the master.</summary>
internal sealed class SimulatedFleet(string bin, string directory, int nodes, int services, int seconds) : IAsyncDisposable
{
    private static readonly TimeProvider s_time = TimeProvider.System;
    private readonly string _state = Path.Combine(directory, "master");
    private readonly CancellationTokenSource _end = new();
    private readonly List<GrpcChannel> _channels = [];
    private FakeAgents _agents = null!;
    private Process _master = null!;
    private Agent.AgentClient _client = null!;
    private Master.MasterClient _members = null!;
    private Metadata _headers = null!;
    private string _address = "";

    public static async Task<int> RunAsync(string bin, string directory, int nodes, int services, int seconds)
    {
        await using var fleet = new SimulatedFleet(bin, directory, nodes, services, seconds);
        await fleet.StartAsync();
        await fleet.JoinAsync();
        await fleet.DeployAsync();
        await fleet.MeasureAsync();
        return 0;
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        _master?.Kill();
        _channels.ForEach(c => c.Dispose());
        if (_agents is not null)
            await _agents.DisposeAsync();
        _end.Dispose();
    }

    private async Task StartAsync()
    {
        _address = $"127.0.0.1:{FreePort()}";
        await Start("init", "--state", _state, "--listen", _address, "--name", "main").WaitForExitAsync();
        var toml = Path.Combine(_state, "master.toml");
        await File.WriteAllTextAsync(toml, (await File.ReadAllTextAsync(toml)).Replace("127.0.0.1:53\"", $"127.0.0.1:{FreePort()}\"", StringComparison.Ordinal));
        _master = Start("run", "--config", Path.Combine(_state, "master.toml"));
        using var authority = CertificateAuthority.Load(_state);
        var trusted = X509CertificateLoader.LoadCertificateFromFile(Path.Combine(_state, "ca.crt"));
        // The status of the whole fleet, as mcp takes it.
        var channel = PeerTls.Channel(_address, PeerName.MasterTlsName, trusted, null, 64 * 1024 * 1024);
        _channels.Add(channel);
        (_client, _members) = (new Agent.AgentClient(channel), new Master.MasterClient(channel));
        _headers = new Metadata { { "authorization", $"Bearer {(await File.ReadAllTextAsync(Path.Combine(_state, "admin.token"))).Trim()}" } };
        while (await Task.Run(() => Answers()) is false)
            await Task.Delay(50);
        _agents = await FakeAgents.StartAsync([.. Enumerable.Range(0, nodes).Select(i => $"n{i:0000}")], authority);
    }

    private bool Answers()
    {
        try
        {
            _client.WhoAmI(new WhoAmIRequest(), _headers);
            return true;
        }
        catch (RpcException)
        {
            return false;
        }
    }

    private async Task JoinAsync()
    {
        var clock = s_time.GetTimestamp();
        var trusted = X509CertificateLoader.LoadCertificateFromFile(Path.Combine(_state, "ca.crt"));
        await Parallel.ForEachAsync(_agents.All, new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (agent, ct) =>
        {
            var token = await _members.CreateJoinTokenAsync(new JoinTokenRequest { LifeSeconds = 3600 }, _headers, cancellationToken: ct);
            if (!JoinToken.TryParse(token.Token, out var parsed))
                throw new InvalidDataException(token.Token);
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var request = new CertificateRequest("CN=node", key, HashAlgorithmName.SHA256).CreateSigningRequestPem();
            var given = await _members.JoinAsync(new JoinRequest { Secret = parsed.Secret, Name = agent.Name, Address = agent.Address, CertificateRequest = request }, cancellationToken: ct);
            using var pem = X509Certificate2.CreateFromPem(given.Certificate, key.ExportPkcs8PrivateKeyPem());
            var own = X509CertificateLoader.LoadPkcs12(pem.Export(X509ContentType.Pkcs12), null);
            var channel = PeerTls.Channel(_address, PeerName.MasterTlsName, trusted, own);
            lock (_channels)
                _channels.Add(channel);
            _ = BeatAsync(agent, new Master.MasterClient(channel));
        });
        Say($"{nodes} nodes joined in {s_time.GetElapsedTime(clock).TotalSeconds:0.0} s");
        while ((await _members.ListNodesAsync(new ListNodesRequest(), _headers)).Nodes.Count(n => n.State == "reachable") < nodes)
            await Task.Delay(500);
    }

    private async Task BeatAsync(FakeAgent agent, Master.MasterClient master)
    {
        while (!_end.IsCancellationRequested)
        {
            try
            {
                await master.HeartbeatAsync(new HeartbeatRequest { Facts = agent.Facts, Status = agent.Status("") }, cancellationToken: _end.Token);
            }
            catch (RpcException)
            {
                // The next one.
            }

            await Task.Delay(TimeSpan.FromSeconds(10), s_time, _end.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task DeployAsync()
    {
        var clock = s_time.GetTimestamp();
        await Parallel.ForEachAsync(Enumerable.Range(0, services), new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (i, ct) =>
        {
            var file = $"name = \"s{i}\"\n[[components]]\nname = \"web\"\nimage = \"registry.example.com/team/hello:v1\"\n[[components.routes]]\nname = \"http\"\nport = 8080\nhostname = \"s{i}.example.com\"\n";
            using var call = _client.Deploy(new DeployRequest { Definition = file }, _headers, cancellationToken: ct);
            while (await call.ResponseStream.MoveNext(ct))
            {
            }
        });
        var took = s_time.GetElapsedTime(clock);
        Say($"{services} services deployed in {took.TotalSeconds:0.0} s ({took.TotalMilliseconds / services:0.00} ms each, 16 at once); {_agents.All.Min(a => a.Services.Count)} to {_agents.All.Max(a => a.Services.Count)} on each node");
    }

    private async Task MeasureAsync()
    {
        await Task.Delay(TimeSpan.FromSeconds(seconds / 4.0));
        var before = Ticks();
        await Task.Delay(TimeSpan.FromSeconds(seconds));
        Say($"heartbeats of {nodes} nodes every 10 s: {(Ticks() - before) / (double)seconds:0.0} % of a core; master resident {Resident()} MB");
        await StatusAsync("status of everything", "", 10);
        await StatusAsync("status of one service", "s7", 200);
        Say($"list of nodes: {await TimeAsync(() => _members.ListNodesAsync(new ListNodesRequest(), _headers).ResponseAsync, 20)}");
        foreach (var agent in _agents.All.Take(nodes / 10))
            agent.Hook = (_, ct) => Task.Delay(Timeout.Infinite, ct);
        await StatusAsync($"status of everything, {nodes / 10} nodes silent", "", Math.Min(5, seconds));
        Say($"master resident {Resident()} MB after all that");
    }

    private async Task StatusAsync(string what, string service, int times)
    {
        var components = 0;
        var took = await TimeAsync(async () => components = (await _client.StatusAsync(new StatusRequest { Service = service }, _headers)).Components.Count, times);
        Say($"{what} ({components} components): {took}");
    }

    private static async Task<string> TimeAsync(Func<Task> call, int times)
    {
        var took = new double[times];
        await call();
        for (var i = 0; i < times; i++)
        {
            var clock = s_time.GetTimestamp();
            await call();
            took[i] = s_time.GetElapsedTime(clock).TotalMilliseconds;
        }

        Array.Sort(took);
        return string.Create(CultureInfo.InvariantCulture, $"median {took[times / 2]:0.0} ms, worst {took[^1]:0.0} ms of {times}");
    }

    // proc(5): utime and stime, in hundredths of a second.
    private long Ticks()
    {
        var fields = File.ReadAllText($"/proc/{_master.Id}/stat").Split(' ');
        return long.Parse(fields[13], CultureInfo.InvariantCulture) + long.Parse(fields[14], CultureInfo.InvariantCulture);
    }

    private long Resident()
    {
        var line = File.ReadLines($"/proc/{_master.Id}/status").First(l => l.StartsWith("VmRSS", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) / 1024;
    }

    private Process Start(params string[] arguments)
    {
        var start = new ProcessStartInfo(Path.Combine(bin, "mcp-master")) { RedirectStandardOutput = true };
        foreach (var argument in arguments)
            start.ArgumentList.Add(argument);
        return Process.Start(start)!;
    }

    private static int FreePort()
    {
        using var listener = new System.Net.Sockets.TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static void Say(FormattableString text) => Console.WriteLine(text.ToString(CultureInfo.InvariantCulture));
}
