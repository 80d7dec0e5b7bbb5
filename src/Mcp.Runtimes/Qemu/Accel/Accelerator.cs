using Mcp.Model.Errors;

namespace Mcp.Runtimes.Qemu.Accel;

/// <summary>KVM where it works, otherwise TCG, unless the configuration insists.</summary>
internal sealed class Accelerator(QemuOptions options)
{
    private readonly KvmProbe _kvm = new(options);

    /// <exception cref="McpException">accel.kvm: insisted on, and it does not work.</exception>
    public async Task<Acceleration> ChooseAsync(CancellationToken ct)
    {
        if (options.Acceleration == Acceleration.Tcg)
            return Acceleration.Tcg;
        var why = await _kvm.WhyNotAsync(ct);
        if (why.Length == 0)
            return Acceleration.Kvm;
        return options.Acceleration == Acceleration.Auto
            ? Acceleration.Tcg
            : throw new McpException(
                ErrorCode.AccelKvm,
                $"KVM cannot be used: {why}",
                "set accel = \"auto\" or \"tcg\" in [qemu] of agent.toml, or use a host with (nested) virtualisation");
    }

    /// <summary>As node status shows it.</summary>
    public async Task<string> DescribeAsync(CancellationToken ct) => await ChooseAsync(ct) == Acceleration.Kvm ? "KVM"
        : options.Acceleration == Acceleration.Tcg ? "TCG (slow), as configured" : $"TCG (slow), since {await _kvm.WhyNotAsync(ct)}";
}
