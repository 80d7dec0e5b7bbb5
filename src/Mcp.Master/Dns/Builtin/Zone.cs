using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using ARSoft.Tools.Net;
using ARSoft.Tools.Net.Dns;
using ARSoft.Tools.Net.Dns.DynamicUpdate;
using Mcp.Model.Names;

namespace Mcp.Master.Dns.Builtin;

/// <summary>The internal zone in memory, and what it answers (RFC 1034, 2308, 6891): its own names with authority, "no" with its SOA, and
/// nothing at all of other zones. No recursion, no transfers.</summary>
/// <param name="origin">Such as mcp.internal.</param>
/// <param name="server">Where it is served: the address of its name server.</param>
public sealed class Zone(Hostname origin, IPAddress server, TimeSpan ttl, TimeProvider time)
{
    // Fits into one packet on every path (dnsflagday.net/2020).
    private const ushort UdpBytes = 1232;
    private readonly DomainName _origin = DomainName.Parse(origin.Text);
    // No service can be called so.
    private readonly DomainName _nameServer = DomainName.Parse($"_ns.{origin}");
    private readonly int _ttl = Math.Max(1, (int)ttl.TotalSeconds);
    private readonly ConcurrentDictionary<DomainName, IPAddress> _addresses = new();
    private volatile SoaRecord? _soa;

    public void Set(DnsRecord record)
    {
        _addresses[Full(record.Name)] = record.Address;
        Changed();
    }

    public void Remove(string name)
    {
        _addresses.TryRemove(Full(name), out _);
        Changed();
    }

    /// <summary>Null: it is not a question, and deserves no answer.</summary>
    public DnsMessageBase? Answer(DnsMessageBase asked)
    {
        if (!asked.IsQuery)
            return null;
        if (asked is DnsUpdateMessage update)
        {
            var no = update.CreateResponseInstance();
            no.ReturnCode = ReturnCode.NotImplemented;
            return no;
        }

        if (asked is not DnsMessage query)
            return null;
        var answer = query.CreateResponseInstance();
        answer.IsRecursionAllowed = false;
        answer.EDnsOptions = query.IsEDnsEnabled ? new OptRecord { UdpPayloadSize = UdpBytes } : null;
        if (query.IsEDnsEnabled && query.EDnsOptions!.Version > 0)
            return Refused(answer, ReturnCode.BadVersion);
        if (query.OperationCode != OperationCode.Query)
            return Refused(answer, ReturnCode.NotImplemented);
        if (query.Questions is not [var question])
            return Refused(answer, ReturnCode.FormatError);
        if (question.RecordClass is not (RecordClass.INet or RecordClass.Any)
            || question.RecordType is RecordType.Axfr or RecordType.Ixfr
            || !(question.Name.Equals(_origin) || question.Name.IsSubDomainOf(_origin)))
        {
            return Refused(answer, ReturnCode.Refused);
        }

        answer.IsAuthoritiveAnswer = true;
        Fill(answer, question);
        return answer;
    }

    private DomainName Full(string name) => DomainName.Parse($"{name}.{origin}");

    private SoaRecord Changed() =>
        _soa = new SoaRecord(
            _origin,
            _ttl,
            _nameServer,
            DomainName.Parse($"hostmaster.{origin}"),
            (uint)time.GetUtcNow().ToUnixTimeSeconds(),
            3600,
            600,
            86400,
            _ttl);

    private SoaRecord Soa => _soa ?? Changed();

    private void Fill(DnsMessage answer, DnsQuestion question)
    {
        var apex = question.Name.Equals(_origin);
        var address = question.Name.Equals(_nameServer) ? server : _addresses.GetValueOrDefault(question.Name);
        var known = address is not null;
        if (apex && question.RecordType is RecordType.Soa or RecordType.Any)
            answer.AnswerRecords.Add(Soa);
        else if (apex && question.RecordType == RecordType.Ns)
            answer.AnswerRecords.Add(new NsRecord(_origin, _ttl, _nameServer));
        else if (known
            && (question.RecordType == RecordType.Any
                || question.RecordType == (address!.AddressFamily == AddressFamily.InterNetwork ? RecordType.A : RecordType.Aaaa)))
        {
            answer.AnswerRecords.Add(
                address!.AddressFamily == AddressFamily.InterNetwork
                    ? new ARecord(question.Name, _ttl, address)
                    : new AaaaRecord(question.Name, _ttl, address));
        }
        else
        {
            answer.ReturnCode = apex || known ? ReturnCode.NoError : ReturnCode.NxDomain;
            answer.AuthorityRecords.Add(Soa);
        }
    }

    private static DnsMessage Refused(DnsMessage answer, ReturnCode code)
    {
        answer.ReturnCode = code;
        return answer;
    }
}
