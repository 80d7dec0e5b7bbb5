namespace Mcp.Model.Histories;

/// <summary>An epoch that is over, and the change number at which it ended.</summary>
public sealed record EndedEpoch(Epoch Epoch, long Change);

/// <summary>How far a database has come. Its program shows it at every contact, so that others can tell a database that is older than
/// what they saw of it.</summary>
/// <param name="Change">The number of the last change that was committed.</param>
/// <param name="Ancestors">The epochs before this one, the newest first; at most <see cref="MostAncestors"/>.</param>
public sealed record Standing(Epoch Epoch, long Change, IReadOnlyList<EndedEpoch> Ancestors)
{
    public const int MostAncestors = 32;

    /// <summary>All epochs that it tells of, the oldest first.</summary>
    public IEnumerable<Epoch> Epochs => Ancestors.Reverse().Select(a => a.Epoch).Append(Epoch);

    /// <summary>With the change that is being made.</summary>
    public Standing Next() => this with { Change = Change + 1 };
}
