namespace Mcp.Runtimes.Qemu.Control;

/// <summary>What came of a request to a guest.</summary>
/// <param name="Code">How it ended; null: not within its limit, and so it was killed.</param>
/// <param name="Output">What it printed, the first 64 KiB.</param>
internal sealed record GuestAnswer(int? Code, byte[] Output);
