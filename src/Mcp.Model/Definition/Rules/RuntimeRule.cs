namespace Mcp.Model.Definition.Rules;

/// <summary>user is for containers; a VM's network is user or bridge.</summary>
public sealed class RuntimeRule : IDefinitionRule
{
    public IEnumerable<Problem> Check(ServiceDefinition service, Places places)
    {
        foreach (var vm in service.Components.Where(c => c.Runtime != RuntimeKind.Container))
        {
            if (vm.User is not null)
                yield return places.Problem(vm, $"'user' is for containers, and this is a {Spellings.Runtimes.Spell(vm.Runtime)}", vm.User, "leave it out");
            if (vm.Network is not (null or "user" or "bridge"))
                yield return places.Problem(vm, "a VM has no such network", vm.Network, "user | bridge");
        }
    }
}
