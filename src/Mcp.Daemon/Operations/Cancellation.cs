using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Protocol.V1;

namespace Mcp.Daemon.Operations;

/// <summary>What clients may ask and do about work that is under way.</summary>
public static class Cancellation
{
    public static McpException Nothing(Label service) => new(
        ErrorCode.OperationNone,
        $"nothing is being done with {service} just now",
        "mcp events says how the last change of it ended");

    /// <summary>Empty where nothing is being done.</summary>
    public static UnderwayReply Underway(Work? work) =>
        work is null ? new UnderwayReply() : new UnderwayReply { What = work.What, By = work.By, Told = work.Told };

    /// <exception cref="McpException">operation.late: it is no deploy.</exception>
    public static void Check(Label service, Work work)
    {
        if (work.What != Work.Deploy)
        {
            throw new McpException(
                ErrorCode.OperationLate,
                $"{service} is busy with {work.Told}, which cannot be cancelled",
                "wait for it");
        }
    }

    /// <summary>Has a deploy taken back, and waits until that is done.</summary>
    /// <exception cref="McpException">operation.late: it has taken effect. Else why it could not be undone.</exception>
    public static async Task<OperationReply> CancelAsync(Label service, Work work, string by, CancellationToken ct)
    {
        Check(service, work);
        work.Cancel(by);
        return await TellAsync(service, work, ct);
    }

    /// <summary>How what was to be taken back has ended.</summary>
    public static async Task<OperationReply> TellAsync(Label service, Work work, CancellationToken ct)
    {
        var told = $"the deploy of {service}{(work.By.Length > 0 ? $" by {work.By}" : "")}";
        try
        {
            await work.Ended.WaitAsync(ct);
        }
        catch (StepFailedException e) when (e.Reason.Code == ErrorCode.OperationCancelled && e.Undone)
        {
            return new OperationReply { Done = { e.Reason.Hint.Length > 0 ? $"cancelled {told}; {e.Reason.Hint}" : $"cancelled {told}" } };
        }
        catch (StepFailedException e)
        {
            throw new McpException(e.Reason.Code, $"{told} failed by itself: step {e.Step}{e.Aftermath}: {e.Message}", e.Reason.Hint, e);
        }

        throw new McpException(
            ErrorCode.OperationLate,
            $"{told} is already finished",
            "to go back, deploy the previous version");
    }
}
