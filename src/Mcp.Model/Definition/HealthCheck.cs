using Mcp.Model.Definition.Keys;
using Mcp.Model.Names;

namespace Mcp.Model.Definition;

/// <summary>How to tell that an instance is well. Exactly one of Http, Tcp, Grpc, Exec is set.</summary>
public sealed record HealthCheck : IKeepsUnread<HealthCheck>
{
    /// <summary>Path that must answer 200 to 399.</summary>
    public string? Http { get; init; }

    public bool Tcp { get; init; }

    public bool Grpc { get; init; }

    /// <summary>Argument list run inside the instance; exit code 0 is well.</summary>
    public IReadOnlyList<string> Exec { get; init; } = [];

    /// <summary>Inside the instance; null: the first route's.</summary>
    public int? Port { get; init; }

    /// <summary>What http and grpc ask for; null: the hostname of the route at the port.</summary>
    public Hostname? Host { get; init; }

    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(2);

    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Probes before giving up, 1 to 1000.</summary>
    public int Retries { get; init; } = 15;

    /// <summary>After the deploy, from one question to the next; null: <see cref="DefaultEvery"/>.</summary>
    public TimeSpan? Every { get; init; }

    /// <summary>How long after its start bad answers do not count, unless it has been well once; null: as long as the gate's, 5 minutes
    /// with a writable volume.</summary>
    public TimeSpan? StartPeriod { get; init; }

    /// <summary>Null: restart, and report where it has a writable volume.</summary>
    public OnUnhealthy? OnUnhealthy { get; init; }

    /// <summary>A program that is started for each question costs more than a question.</summary>
    public TimeSpan DefaultEvery => TimeSpan.FromSeconds(Exec.Count > 0 ? 30 : 10);

    public Unread Unread { get; init; } = Unread.None;

    HealthCheck IKeepsUnread<HealthCheck>.With(Unread unread) => this with { Unread = unread };
}
