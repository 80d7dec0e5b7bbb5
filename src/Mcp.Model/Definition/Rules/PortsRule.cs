namespace Mcp.Model.Definition.Rules;

/// <summary>A fixed host port is asked for once.</summary>
public sealed class PortsRule : IDefinitionRule
{
    public IEnumerable<Problem> Check(ServiceDefinition service, Places places) =>
        service.Components.SelectMany(c => c.Ports).GroupBy(p => p.Host).SelectMany(Clashes)
            .Select(p => places.Problem(p, "a host port is asked for twice", FixedPorts.Format(p), "each host port once per address"));

    private static IEnumerable<FixedPort> Clashes(IGrouping<int, FixedPort> ports) =>
        ports.Any(p => p.Address is "0.0.0.0" or "::") ? ports.Skip(1) : ports.ToList().RepeatsBy(p => p.Address);
}
