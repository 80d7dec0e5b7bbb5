namespace Mcp.Model.Histories;

/// <summary>The number of a request of the master: the epoch in which it was made and the change number that it was given. No clock
/// is in it.</summary>
/// <param name="Sequence">For agents and of masters that know no epochs: greater with each request. A clock is in it.</param>
/// <param name="Standing">Of the master's database as it numbered the request; null: that master knows no epochs.</param>
public sealed record RequestNumber(long Sequence, Standing? Standing = null);

/// <summary>The last request that an agent has served for a service.</summary>
/// <param name="Place">Where its epoch stands among those of the master, in the order in which this agent learned of them; null: it came
/// from a master that knows no epochs.</param>
/// <param name="Change">Its change number in that epoch.</param>
public sealed record ServedRequest(long Sequence, long? Place, long Change)
{
    /// <summary>Whether a request comes late: it was made before this one.</summary>
    /// <param name="place">Where the request's epoch stands; ignored where it has none.</param>
    public bool Supersedes(RequestNumber request, long place)
    {
        if (request.Standing is null || Place is null)
            return request.Sequence < Sequence;
        return place == Place ? request.Standing.Change < Change : place < Place;
    }
}
