using System.Net;
using Mcp.Master.Store;
using Mcp.Model.Definition;
using Mcp.Model.Names;

namespace Mcp.Master.Dns;

/// <summary>The names of services in the internal zone: service and component.service, each with the address of the service's
/// node.</summary>
public static class ServiceNames
{
    public static IEnumerable<string> Of(ServiceDefinition service) =>
        service.Components.Select(c => $"{c.Name}.{service.Name}").Prepend(service.Name.Text);

    /// <summary>Whose name it is: what stands after its last dot.</summary>
    public static Label? Owner(string name) => Label.TryParse(name[(name.LastIndexOf('.') + 1)..], out var service) ? service : null;

    public static IPAddress Address(StoredNode node) => IPEndPoint.Parse(node.Address).Address;
}
