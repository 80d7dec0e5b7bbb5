namespace Mcp.Model.Definition.Rules;

/// <summary>user is for containers; a VM's network is user or bridge; a unikernel's volumes are baked in when it is built, and so
/// read-only.</summary>
public sealed class RuntimeRule : IDefinitionRule
{
    public IEnumerable<Problem> Check(ServiceDefinition service, Places places)
    {
        foreach (var vm in service.Components.Where(c => c.Runtime != RuntimeKind.Container))
        {
            if (vm.User is not null)
            {
                yield return places.Problem(
                    vm,
                    $"'user' is for containers, and this is a {Spellings.Runtimes.Spell(vm.Runtime)}",
                    vm.User,
                    "leave it out");
            }

            if (vm.Network is not (null or "user" or "bridge"))
                yield return places.Problem(vm, "a VM has no such network", vm.Network, "user | bridge");
            if (vm is { Runtime: RuntimeKind.Unikernel, StopSignal: { } signal })
            {
                yield return places.Problem(
                    vm,
                    "a unikernel has no signals; it is stopped by its power button",
                    Spellings.Signals.Spell(signal),
                    "leave out stop_signal");
            }

            foreach (var volume in vm.Volumes.Where(v => vm.Runtime == RuntimeKind.Unikernel && v.IsNamed))
            {
                yield return places.Problem(
                    volume,
                    "a unikernel has no named volumes",
                    $"{volume.Source}:{volume.Target}",
                    "a directory of the node with :ro, or use runtime = \"microvm\"");
            }

            foreach (var volume in vm.Volumes.Where(v => vm.Runtime == RuntimeKind.Unikernel && v is { IsNamed: false, ReadOnly: false }))
            {
                yield return places.Problem(
                    volume,
                    "a unikernel cannot write to a volume",
                    $"{volume.Source}:{volume.Target}",
                    "add :ro, or use runtime = \"microvm\"");
            }
        }
    }
}
