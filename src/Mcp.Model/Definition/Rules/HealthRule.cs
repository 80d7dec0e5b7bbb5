namespace Mcp.Model.Definition.Rules;

/// <summary>A health check asks exactly one question, and a port to ask it at is known.</summary>
public sealed class HealthRule : IDefinitionRule
{
    public IEnumerable<Problem> Check(ServiceDefinition service, Places places)
    {
        foreach (var component in service.Components)
        {
            if (component.Health is not { } health)
                continue;
            var kinds = (health.Http is null ? 0 : 1) + (health.Tcp ? 1 : 0) + (health.Grpc ? 1 : 0) + (health.Exec.Count > 0 ? 1 : 0);
            if (kinds != 1)
            {
                yield return places.Problem(
                    health,
                    "a health check asks exactly one question",
                    "",
                    "one of http = \"/path\", tcp = true, grpc = true, exec = [...]");
            }

            if (health.Host is not null && (health.Tcp || health.Exec.Count > 0))
                yield return places.Problem(health, "only http and grpc ask for a name", "host", "http = \"/path\" or grpc = true");
            if (health.Exec.Count > 0 && component.Runtime == RuntimeKind.Unikernel)
            {
                yield return places.Problem(
                    health,
                    "no program can be run inside a unikernel",
                    "exec",
                    "http = \"/path\" or grpc = true");
            }

            if (health.Tcp && component is { Runtime: RuntimeKind.Unikernel, Network: not "bridge" })
            {
                yield return places.Problem(
                    health,
                    "QEMU takes connections for a unikernel, whether it listens or not",
                    "tcp",
                    "http = \"/path\", grpc = true, or network = \"bridge\"");
            }

            if (health.Exec.Count == 0 && health.Port is null && component.Routes.Count == 0)
                yield return places.Problem(health, "a health check needs a port where there is no route", "", "port = 8080");
        }
    }
}
