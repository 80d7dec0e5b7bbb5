using System.Net;
using Mcp.Model.Names;

namespace Mcp.Model.Routes;

/// <summary>A public hostname and where its requests go: to the node of the service, over TLS with the service's internal name.</summary>
/// <param name="Backend">SERVICE.zone: what the node's certificate must say.</param>
/// <param name="Resolver">address:port of the DNS server that knows the backend; empty: the machine's own.</param>
/// <param name="Addresses">What the backend's name stood for when it was last looked up: checked then, and used as they are.</param>
public sealed record EdgeRoute(
    Hostname Hostname,
    Label Service,
    Hostname Backend,
    int Port,
    string Resolver,
    IReadOnlyList<IPAddress> Addresses);
