using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Grpc.Core;
using Mcp.Agent.Proxy;
using Mcp.Agent.Registry;
using Mcp.Daemon.Errors;
using Mcp.Daemon.Events;
using Mcp.Daemon.Identity;
using Mcp.Daemon.Lifecycle;
using Mcp.Machine;
using Mcp.Model.Definition;
using Mcp.Model.Events;
using Mcp.Model.Names;
using Mcp.Protocol.V1;

namespace Mcp.Agent.Membership;

/// <summary>In a fleet: a certificate of its CA for the names of each service with an l7 route here, kept by the master's word and renewed
/// when a third of its life is left. Alone there are none.</summary>
public sealed class ServiceCertificates(AgentConfig config, AgentRegistry registry, INodeProxy proxy, TimeProvider time) : IDisposable
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_look = TimeSpan.FromSeconds(5);
    private readonly SemaphoreSlim _issuing = new(1, 1);
    private readonly RenewalPace<Label> _pace = new(time);
    private Member? _member;
    private readonly Troubles _troubles = new(registry.Events, over: EventKind.CertificateRenewed, EventKind.CertificateFailed);

    internal Member? Member => _member;

    internal void Join(Member? member) => _member = member;

    /// <summary>Before traffic goes to the service here, so that the first who comes by its name finds it. Tries once; what fails is made
    /// up for later.</summary>
    public async Task EnsureAsync(ServiceDefinition service, CancellationToken ct)
    {
        if (IsWanted(service.Components))
            await TryAsync(service.Name, ct);
    }

    public Task RunAsync(CancellationToken ct) => Supervise.EachAsync(s_look, LookAsync, time, ct);

    private async Task LookAsync(CancellationToken ct)
    {
        var (wanted, changed) = await ForgetAsync(ct);
        foreach (var service in wanted)
            changed |= await TryAsync(service, ct);
        if (changed)
            await proxy.PushAsync(ct);
    }

    /// <summary>Of the certificates that are here.</summary>
    public IEnumerable<Expiry> Endings
    {
        get
        {
            foreach (var service in registry.Components.List().Select(c => c.Service).Distinct())
            {
                using var there = Read(config.CertificateOf(service));
                if (there is not null)
                {
                    yield return Expiry.Of(
                        $"certificate of the service {service}", there, "the master renews it: does it answer, is the service here?");
                }
            }
        }
    }

    public void Dispose() => _issuing.Dispose();

    private bool IsWanted(IEnumerable<ComponentDefinition> components) =>
        _member is not null && config.Proxy.Overlay is not null && components.SelectMany(c => c.Routes).Any(r => r.Mode == RouteMode.L7);

    // True: there is a new one.
    private async Task<bool> TryAsync(Label service, CancellationToken ct)
    {
        await _issuing.WaitAsync(ct);
        try
        {
            if (!IsDue(service))
                return false;
            await IssueAsync(service, ct);
            _pace.Issued(service);
            _troubles.Over(KeyOf(service), "there is a new one");
            return true;
        }
        catch (Exception e) when (e is RpcException or IOException && !ct.IsCancellationRequested)
        {
            _troubles.Tell(KeyOf(service), FailureText.Of(e));
            return false;
        }
        finally
        {
            _issuing.Release();
        }
    }

    private TroubleKey KeyOf(Label service) => TroubleKey.Of(service, $"{service}.{config.Zone}");

    private bool IsDue(Label service)
    {
        using var there = Read(config.CertificateOf(service));
        return there is null || _pace.IsDue(service, there);
    }

    private static X509Certificate2? Read(string file)
    {
        try
        {
            return File.Exists(file) ? X509Certificate2.CreateFromPem(File.ReadAllText(file)) : null;
        }
        catch (Exception e) when (e is CryptographicException or IOException)
        {
            // Written half, or by somebody else.
            return null;
        }
    }

    private async Task IssueAsync(Label service, CancellationToken ct)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var pem = await _member!.IssueAsync(new IssueCertificateRequest { Service = service.Text }, key, s_limit, ct);
        var file = config.CertificateOf(service);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        WholeFile.Replace(file, pem);
    }

    // Removes those of services that are gone.
    private async Task<(List<Label> Wanted, bool Changed)> ForgetAsync(CancellationToken ct)
    {
        await _issuing.WaitAsync(ct);
        try
        {
            var wanted = registry.Components.List()
                .GroupBy(c => c.Service)
                .Where(s => IsWanted(s.Select(c => c.Definition)))
                .Select(s => s.Key)
                .ToList();
            var directory = Path.GetDirectoryName(config.CertificateOf(Label.Parse("any")))!;
            var stale = Directory.Exists(directory)
                ? Directory.GetFiles(directory, "*.pem")
                    .Where(f => !Label.TryParse(Path.GetFileNameWithoutExtension(f), out var service) || !wanted.Contains(service))
                    .ToList()
                : [];
            stale.ForEach(File.Delete);
            return (wanted, stale.Count > 0);
        }
        finally
        {
            _issuing.Release();
        }
    }
}
