using System.Globalization;
using System.Text;

namespace Mcp.Model.Definition;

/// <summary>Definition to service file text. Canonical: equal definitions give equal text, defaults are left out, env is sorted.</summary>
public static class ServiceFileWriter
{
    public static string Write(ServiceDefinition service)
    {
        var text = new StringBuilder();
        Line(text, "name", Quote(service.Name.Text));
        if (service.Tier != Tier.Worker)
            Line(text, "tier", Quote(Spellings.Tiers.Spell(service.Tier)));
        if (service.Node is { } node)
            Line(text, "node", Quote(node.Text));
        if (!service.Active)
            Line(text, "active", "false");
        foreach (var component in service.Components)
            text.Append('\n').Append(Write(component));
        return text.ToString();
    }

    public static string Write(ComponentDefinition component)
    {
        var text = new StringBuilder("[[components]]\n");
        Line(text, "name", Quote(component.Name.Text));
        Line(text, "image", Quote(component.Image.Text));
        if (component.Runtime != RuntimeKind.Container)
            Line(text, "runtime", Quote(Spellings.Runtimes.Spell(component.Runtime)));
        Number(text, "memory_mb", component.MemoryMb);
        Number(text, "vcpus", component.Vcpus);
        List(text, "cmd", component.Cmd);
        if (component.Env.Count > 0)
            Line(text, "env", $"{{ {string.Join(", ", component.Env.OrderBy(e => e.Key, StringComparer.Ordinal).Select(e => $"{e.Key} = {Quote(e.Value)}"))} }}");
        List(text, "volumes", component.Volumes.Select(v => v.ToString()));
        List(text, "ports", component.Ports.Select(FixedPorts.Format));
        if (component.Network is { } network)
            Line(text, "network", Quote(network));
        if (component.User is { } user)
            Line(text, "user", Quote(user));
        if (component.Restart != RestartPolicy.UnlessStopped)
            Line(text, "restart", Quote(Spellings.Restarts.Spell(component.Restart)));
        if (component.Update is { } update)
            Line(text, "update", Quote(Spellings.Updates.Spell(update)));
        if (component.StopGrace is { } grace)
            Line(text, "stop_grace", Quote(Durations.Format(grace)));
        if (component.Drain != ComponentDefinition.UsualDrain)
            Line(text, "drain", Quote(Durations.Format(component.Drain)));
        if (component.Health is { } health)
            Line(text, "health", Health(health));
        foreach (var route in component.Routes)
            Write(text, route);
        return text.ToString();
    }

    private static void Write(StringBuilder text, Route route)
    {
        text.Append("\n[[components.routes]]\n");
        Line(text, "name", Quote(route.Name.Text));
        Number(text, "port", route.Port);
        if (route.Mode != RouteMode.L7)
            Line(text, "mode", Quote(Spellings.Modes.Spell(route.Mode)));
        if (route.Hostname is { } hostname)
            Line(text, "hostname", Quote(hostname.Text));
        if (route.Public)
            Line(text, "public", "true");
    }

    private static string Health(HealthCheck health)
    {
        var parts = new List<string>();
        if (health.Http is { } path)
            parts.Add($"http = {Quote(path)}");
        if (health.Tcp)
            parts.Add("tcp = true");
        if (health.Grpc)
            parts.Add("grpc = true");
        if (health.Exec.Count > 0)
            parts.Add($"exec = {Array(health.Exec)}");
        if (health.Port is { } port)
            parts.Add(string.Create(CultureInfo.InvariantCulture, $"port = {port}"));
        parts.Add($"interval = {Quote(Durations.Format(health.Interval))}");
        parts.Add($"timeout = {Quote(Durations.Format(health.Timeout))}");
        parts.Add(string.Create(CultureInfo.InvariantCulture, $"retries = {health.Retries}"));
        return $"{{ {string.Join(", ", parts)} }}";
    }

    private static void Line(StringBuilder text, string key, string value) => text.Append(key).Append(" = ").Append(value).Append('\n');

    private static void Number(StringBuilder text, string key, int? value)
    {
        if (value is { } number)
            Line(text, key, number.ToString(CultureInfo.InvariantCulture));
    }

    private static void List(StringBuilder text, string key, IEnumerable<string> values)
    {
        var array = Array(values);
        if (array != "[]")
            Line(text, key, array);
    }

    private static string Array(IEnumerable<string> values) => $"[{string.Join(", ", values.Select(Quote))}]";

    private static string Quote(string value)
    {
        var text = new StringBuilder("\"");
        foreach (var c in value)
        {
            if (c is '"' or '\\')
                text.Append('\\').Append(c);
            else if (char.IsControl(c))
                text.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:X4}");
            else
                text.Append(c);
        }

        return text.Append('"').ToString();
    }
}
