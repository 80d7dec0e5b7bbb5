using System.Net;
using System.Net.Sockets;
using ARSoft.Tools.Net;
using ARSoft.Tools.Net.Dns;
using ARSoft.Tools.Net.Dns.DynamicUpdate;
using Mcp.Master.Store;
using Mcp.Model.Errors;
using Mcp.Model.Names;

namespace Mcp.Master.Dns.Rfc2136;

/// <param name="Server">The zone's primary.</param>
/// <param name="KeyName">Of the TSIG key.</param>
/// <param name="Secret">Of the TSIG key, HMAC-SHA256.</param>
public sealed record Rfc2136Options(IPEndPoint Server, Hostname Zone, string KeyName, byte[] Secret, TimeSpan Ttl);

/// <summary>Names in somebody else's server: BIND, Knot, PowerDNS. Dynamic updates (RFC 2136) signed with TSIG (RFC 8945). What is mcp's
/// carries a TXT record that says so, and each update asks the server to check it.</summary>
public sealed class Rfc2136Dns(Rfc2136Options options, string fleet, DnsRecordsTable records, TimeProvider time) : IDnsProvider
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(5);
    private readonly DomainName _zone = DomainName.Parse(options.Zone.Text);
    private readonly int _ttl = Math.Max(1, (int)options.Ttl.TotalSeconds);

    public string Name => "rfc2136";

    public async Task SetAsync(string name, IPAddress node, CancellationToken ct)
    {
        records.Set(new DnsRecord(name, node));
        var full = Full(name);
        var address = Record(full, node);
        // Ours already: replace the address. Not there: take the name. Both are checked by the server, in one step with the change.
        var code = await UpdateAsync(
            [new RecordExistsValueDependantPrequisite(Mark(full))],
            [
                new DeleteAllRecordsUpdate(full, RecordType.A),
                new DeleteAllRecordsUpdate(full, RecordType.Aaaa),
                new AddRecordUpdate(address),
            ],
            ct);
        if (code is ReturnCode.NXRRSet or ReturnCode.NxDomain)
        {
            code = await UpdateAsync(
                [new NameIsNotInUsePrequisite(full)],
                [new AddRecordUpdate(Mark(full)), new AddRecordUpdate(address)],
                ct);
        }

        if (code == ReturnCode.YXDomain)
        {
            throw new McpException(
                ErrorCode.DnsForeign,
                $"{full} is there already and is not mcp's",
                "remove it from the zone, or choose another name for the service");
        }

        Accept(code, full);
    }

    public async Task RemoveAsync(string name, CancellationToken ct)
    {
        var full = Full(name);
        var code = await UpdateAsync(
            [new RecordExistsValueDependantPrequisite(Mark(full))],
            [
                new DeleteAllRecordsUpdate(full, RecordType.A),
                new DeleteAllRecordsUpdate(full, RecordType.Aaaa),
                new DeleteRecordUpdate(Mark(full)),
            ],
            ct);
        if (code is not (ReturnCode.NXRRSet or ReturnCode.NxDomain))
            Accept(code, full);
        records.Remove(name);
    }

    public async Task<IReadOnlyList<DnsRecord>> ListOwnedAsync(CancellationToken ct)
    {
        using var client = Client();
        var known = records.List();
        var found = await Task.WhenAll(known.Select(async record =>
        {
            var full = Full(record.Name);
            var marks = await AskAsync<TxtRecord>(client, full, RecordType.Txt, ct);
            if (!marks.Any(m => m.TextData == Text))
                return null;
            var type = record.Address.AddressFamily == AddressFamily.InterNetwork ? RecordType.A : RecordType.Aaaa;
            return await AskAsync<AddressRecordBase>(client, full, type, ct) is [var address, ..]
                ? record with { Address = address.Address }
                : null;
        }));
        // What the master set and the server lost is missing here, so it is set again; what is there without the mark is not ours.
        return [.. found.OfType<DnsRecord>()];
    }

    private string Text => $"mcp:{fleet}";

    private DomainName Full(string name) => DomainName.Parse($"{name}.{options.Zone}");

    private TxtRecord Mark(DomainName name) => new(name, _ttl, Text);

    private DnsRecordBase Record(DomainName name, IPAddress address) =>
        address.AddressFamily == AddressFamily.InterNetwork ? new ARecord(name, _ttl, address) : new AaaaRecord(name, _ttl, address);

    private DnsClient Client() =>
        new(
            [options.Server.Address],
            [new UdpClientTransport(options.Server.Port), new TcpClientTransport(options.Server.Port)],
            true,
            (int)s_limit.TotalMilliseconds)
        { Is0x20ValidationEnabled = false };

    private async Task<List<T>> AskAsync<T>(DnsClient client, DomainName name, RecordType type, CancellationToken ct)
        where T : DnsRecordBase
    {
        var answer = await client.ResolveAsync(name, type, token: ct) ?? throw Unreachable();
        return answer.ReturnCode is ReturnCode.NoError or ReturnCode.NxDomain
            ? [.. answer.AnswerRecords.OfType<T>()]
            : throw Refused(answer.ReturnCode, name);
    }

    private async Task<ReturnCode> UpdateAsync(
        IEnumerable<PrequisiteBase> conditions,
        IEnumerable<UpdateBase> changes,
        CancellationToken ct)
    {
        using var client = Client();
        var message = new DnsUpdateMessage { ZoneName = _zone };
        message.Prequisites.AddRange(conditions);
        message.Updates.AddRange(changes);
        message.TSigOptions = new TSigRecord(
            DomainName.Parse(options.KeyName),
            TSigAlgorithm.Sha256,
            time.GetUtcNow().UtcDateTime,
            TimeSpan.FromMinutes(5),
            message.TransactionID,
            ReturnCode.NoError,
            null,
            options.Secret);
        return (await client.SendUpdateAsync(message, ct) ?? throw Unreachable()).ReturnCode;
    }

    private void Accept(ReturnCode code, DomainName name)
    {
        if (code != ReturnCode.NoError)
            throw Refused(code, name);
    }

    private McpException Unreachable() =>
        new(
            ErrorCode.DnsUnreachable,
            $"the DNS server {options.Server} does not answer",
            "does it run, and is [dns] server in master.toml right?");

    private McpException Refused(ReturnCode code, DomainName name) =>
        new(
            ErrorCode.DnsRefused,
            $"the DNS server {options.Server} refused {name}: {code}",
            $"does it let the key {options.KeyName} update {options.Zone}, and is the secret right? its log says more");
}
