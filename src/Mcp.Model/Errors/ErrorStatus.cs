namespace Mcp.Model.Errors;

/// <summary>Whose fault it is, in kinds that every program understands, also one that does not know the code.</summary>
public enum ErrorStatus
{
    /// <summary>What was asked for is right, but the world is not ready for it.</summary>
    FailedPrecondition,

    /// <summary>What was named is not there.</summary>
    NotFound,

    /// <summary>What was asked for cannot be meant, whatever the world is like.</summary>
    InvalidArgument,

    /// <summary>The caller is known, and may not.</summary>
    PermissionDenied,

    /// <summary>Nobody knows who the caller is.</summary>
    Unauthenticated,

    /// <summary>The machine has no room, or no turn.</summary>
    ResourceExhausted,

    /// <summary>It was begun, and a step of it failed.</summary>
    Aborted,

    /// <summary>A fault of mcp.</summary>
    Internal,
}
