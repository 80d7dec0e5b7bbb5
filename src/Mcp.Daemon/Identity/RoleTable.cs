using Google.Protobuf.Reflection;
using Mcp.Model.Errors;

namespace Mcp.Daemon.Identity;

/// <summary>Each RPC of a program with the least role that may call it. An RPC missing here keeps the program from starting.</summary>
public sealed class RoleTable
{
    private readonly Dictionary<string, Role> _roles = [];

    /// <exception cref="McpException">roles.incomplete: an RPC of a service has no role, or a role has no RPC.</exception>
    public RoleTable(params IEnumerable<(ServiceDescriptor Service, IReadOnlyDictionary<string, Role> Roles)> services)
    {
        foreach (var (service, roles) in services)
        {
            var wrong = service.Methods.Select(m => m.Name)
                .Except(roles.Keys)
                .Concat(roles.Keys.Except(service.Methods.Select(m => m.Name)))
                .ToList();
            if (wrong.Count > 0)
            {
                throw new McpException(
                    ErrorCode.RolesIncomplete,
                    $"the role table and {service.FullName} differ: {string.Join(", ", wrong)}");
            }

            foreach (var (method, role) in roles)
                _roles.Add($"/{service.FullName}/{method}", role);
        }
    }

    /// <summary>One question for the health, with one answer, is anybody's: it tells no more than an open port does. Watching it would hold
    /// a stream for ever, and is nobody's.</summary>
    public static bool IsOpen(string method) => method == "/grpc.health.v1.Health/Check";

    public Role? Needed(string method) => _roles.TryGetValue(method, out var role) ? role : null;
}
