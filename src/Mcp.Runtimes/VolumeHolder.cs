using Mcp.Model.Definition;
using Mcp.Model.Names;

namespace Mcp.Runtimes;

/// <param name="Who">For people: the instance, or the name of what is not mcp's.</param>
/// <param name="Instance">Null: not mcp's.</param>
/// <param name="Ended">Nothing of it runs. Whatever is not certain counts as running.</param>
/// <param name="Writable">Host directories that it may write to.</param>
public sealed record VolumeHolder(string Who, InstanceName? Instance, bool Ended, IReadOnlyList<VolumeMount> Writable);

/// <param name="Directory">On this host.</param>
/// <param name="Of">Names the instance, and no other one ever.</param>
/// <param name="Ran">Another one as soon as the instance has run again.</param>
public sealed record FormerData(string Directory, string Of, string Ran);
