namespace Mcp.TestKit.Faults;

/// <summary>One operation, broken again and again: at its first side effect, at its second, and so on until it has no more. So each side
/// effect is seen before and after it took place.</summary>
public static class FaultMatrix
{
    /// <param name="most">So many side effects no operation has that ends.</param>
    /// <param name="atLeast">So many side effects the operation has, or the matrix does not see them.</param>
    /// <param name="round">Makes a world, hangs the point's hook into it, has the operation broken, and looks at what is left.</param>
    public static async Task RunAsync(Fault fault, int atLeast, Func<FaultPoint, Task> round, int most = 1000)
    {
        for (var number = 1; number <= most; number++)
        {
            var point = new FaultPoint(fault, number);
            try
            {
                await round(point);
            }
            catch (Exception e)
            {
                throw new FaultFoundException($"{point}: {e.Message}", e);
            }

            Assert.True(point.WasUsed, "the operation was not run by the fault's point");
            if (point.WasReached)
                continue;
            Assert.True(number > atLeast, $"the operation has {number - 1} side effects; fewer than {atLeast} are too few to be true");
            return;
        }

        Assert.Fail($"the operation has more than {most} side effects");
    }
}

/// <summary>How an operation is broken.</summary>
public enum Fault
{
    /// <summary>This one side effect is refused; all others are well.</summary>
    Fail,

    /// <summary>The program is killed: it never goes on.</summary>
    Kill,

    /// <summary>From here on nothing gets through any more.</summary>
    Cut,
}

/// <summary>What a world looks like after a fault is wrong. Says which fault it was.</summary>
public sealed class FaultFoundException(string message, Exception cause) : Exception(message, cause);
