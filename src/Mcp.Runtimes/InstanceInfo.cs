using System.Globalization;
using Mcp.Model.Definition;
using Mcp.Model.Instances;
using Mcp.Model.Names;

namespace Mcp.Runtimes;

public sealed record InstanceInfo
{
    public required InstanceName Name { get; init; }

    public required string Image { get; init; }

    public required InstanceState State { get; init; }

    /// <summary>Null while it runs or has never run.</summary>
    public int? ExitCode { get; init; }

    public required string SpecHash { get; init; }

    public DateTimeOffset? Started { get; init; }

    /// <summary>The component's canonical text, as it was when the instance was made.</summary>
    public required string Definition { get; init; }

    /// <summary>Published ones.</summary>
    public IReadOnlyList<FixedPort> Ports { get; init; } = [];

    /// <summary>The image it was made of, in the runtime's own words, as <see cref="IRuntime.PullAsync"/> tells it; empty: not known. Not
    /// in listings.</summary>
    public string MadeOf { get; init; } = "";

    /// <summary>What its image says that it should be asked; null: nothing, or this runtime cannot. Not in listings.</summary>
    public HealthCheck? OwnCheck { get; init; }

    /// <summary>Why it does not run, where the exit code does not say it.</summary>
    public string Reason { get; init; } = "";

    /// <summary>How it ended, in words.</summary>
    public string Ending
    {
        get
        {
            var code = ExitCode is { } known ? string.Create(CultureInfo.InvariantCulture, $"exit code {known}") : "no exit code";
            return Reason.Length > 0 ? $"{code}: {Reason}" : code;
        }
    }
}
