namespace Mcp.Runtimes.Qemu.Accel;

/// <summary>What KVM was found to be good for.</summary>
/// <param name="Boot">The host boot that this was found in.</param>
/// <param name="Why">Empty: it works.</param>
internal sealed record AccelVerdict(string Boot, string Program, string Why);
