using Mcp.Model.Definition.Toml;
using Mcp.Model.Names;

namespace Mcp.Model.Definition;

/// <summary>Tree of TOML values to definition; collects every mistake on the way. It reads what is stored, too: it must take every value that any
/// released version took. A value that is no longer wanted is refused by a rule (<see cref="Rules.IDefinitionRule"/>), never here.</summary>
/// <param name="unknown">Takes the names of keys that this version does not know; null: they are mistakes.</param>
internal sealed class ServiceBinder(List<Problem> problems, Places places, List<string>? unknown = null)
{
    private static readonly Label s_nobody = Label.Parse("invalid");
    private static readonly TomlEntries s_nothing = new();

    public ServiceDefinition? Service(TomlTable table)
    {
        var fields = new TomlFields(table, "a service", problems, unknown);
        var name = Name(fields, "name");
        var tier = fields.Choice("tier", Spellings.Tiers, Tier.Worker);
        var node = fields.Entry("node") is { } entry ? Name(fields, "node", entry) : null;
        var active = fields.Boolean("active", true);
        var components = Tables(fields, "components").Select(Component).ToList();
        if (fields.Entry("components") is null)
            problems.Add(new Problem(1, 1, "a service needs at least one component", "", "[[components]]"));
        fields.RefuseUnknown();
        return new ServiceDefinition(name, tier, node, active, components);
    }

    private ComponentDefinition Component(TomlTable table)
    {
        var fields = new TomlFields(table, "a component", problems, unknown);
        var component = new ComponentDefinition(
            Name(fields, "name"),
            Image(fields),
            fields.Choice("runtime", Spellings.Runtimes, RuntimeKind.Container),
            fields.Integer("memory_mb", 4, 16 * 1024 * 1024),
            fields.Integer("vcpus", 1, 1024),
            Texts(fields, "cmd"),
            Env(fields),
            Texts(fields, "volumes", Volume),
            Texts(fields, "ports", Port),
            Matching(fields, "network", ShortTexts.IsNetwork, ShortTexts.AllowedNetwork),
            Matching(fields, "user", ShortTexts.IsUser, ShortTexts.AllowedUser),
            fields.Choice("restart", Spellings.Restarts, RestartPolicy.UnlessStopped),
            fields.Inner("health") is { } health ? Health(health) : null,
            [.. Tables(fields, "routes").Select(Route)])
        { Update = fields.Choice("update", Spellings.Updates) };
        fields.RefuseUnknown();
        return places.Note(component, table);
    }

    private Route Route(TomlTable table)
    {
        var fields = new TomlFields(table, "a route", problems, unknown);
        var hostname = fields.Entry("hostname");
        Hostname? host = null;
        if (hostname is not null && fields.Text(hostname) is { } text && !Hostname.TryParse(text, out host))
            fields.Wrong(hostname.Value, Hostname.Allowed, "hostname");
        var route = new Route(
            Name(fields, "name"),
            fields.Required("port") is null ? 1 : fields.Integer("port", 1, 65535) ?? 1,
            fields.Choice("mode", Spellings.Modes, RouteMode.L7),
            host,
            fields.Boolean("public", false));
        fields.RefuseUnknown();
        return places.Note(route, table);
    }

    private HealthCheck Health(TomlTable table)
    {
        var fields = new TomlFields(table, "a health check", problems, unknown);
        var check = new HealthCheck(
            Matching(fields, "http", ShortTexts.IsPath, ShortTexts.AllowedPath),
            fields.Boolean("tcp", false),
            fields.Boolean("grpc", false),
            Texts(fields, "exec"),
            fields.Integer("port", 1, 65535),
            fields.Duration("interval", HealthCheck.DefaultInterval, TimeSpan.FromMinutes(10)),
            fields.Duration("timeout", HealthCheck.DefaultTimeout, TimeSpan.FromMinutes(10)),
            fields.Integer("retries", 1, 1000) ?? HealthCheck.DefaultRetries);
        fields.RefuseUnknown();
        return places.Note(check, table);
    }

    // Most lists are not there, and a file may have thousands of components.
    private static IReadOnlyList<string> Texts(TomlFields fields, string key) => fields.Texts(key) is { Count: > 0 } texts ? [.. texts.Select(t => t.Value)] : [];

    private static IReadOnlyList<T> Texts<T>(TomlFields fields, string key, Func<TomlFields, (TomlNode Node, string Text), T?> read)
        where T : class => fields.Texts(key) is { Count: > 0 } texts ? [.. texts.Select(t => read(fields, t)).OfType<T>()] : [];

    private static Label Name(TomlFields fields, string key) => fields.Required(key) is { } entry ? Name(fields, key, entry) : s_nobody;

    private static Label Name(TomlFields fields, string key, TomlEntry entry)
    {
        if (entry.Value is TomlText text && Label.TryParse(text.Value, out var label))
            return label;
        fields.Wrong(entry.Value, Label.Allowed, key);
        return s_nobody;
    }

    private static ImageReference Image(TomlFields fields)
    {
        ImageReference? image = null;
        if (fields.Required("image") is { } entry && !(entry.Value is TomlText text && ImageReference.TryParse(text.Value, out image)))
            fields.Wrong(entry.Value, ImageReference.Allowed, "image");
        return image ?? ImageReference.Parse("localhost/invalid");
    }

    private static Dictionary<string, string> Env(TomlFields fields)
    {
        var env = new Dictionary<string, string>();
        foreach (var (key, entry) in fields.Inner("env")?.Entries ?? s_nothing)
        {
            if (!ShortTexts.IsVariable(key))
                fields.Wrong(new TomlText(entry.Line, entry.Column, key), ShortTexts.AllowedVariable, "env");
            else if (entry.Value is TomlText text && !text.Value.Contains('\0', StringComparison.Ordinal))
                env[key] = text.Value;
            else
                fields.Wrong(entry.Value, "a string", $"env.{key}");
        }

        return env;
    }

    private VolumeMount? Volume(TomlFields fields, (TomlNode Node, string Text) item)
    {
        var parts = item.Text.Split(':');
        var option = parts.Length == 3 ? parts[2] : "rw";
        if (parts.Length is 2 or 3 && ShortTexts.IsPath(parts[0]) && ShortTexts.IsPath(parts[1]) && option is "ro" or "rw" or "shared")
            return places.Note(new VolumeMount(parts[0], parts[1], option == "ro", option == "shared"), item.Node);
        fields.Wrong(item.Node, "/host/path:/path/inside[:ro|:rw|:shared]", "volumes");
        return null;
    }

    private FixedPort? Port(TomlFields fields, (TomlNode Node, string Text) item)
    {
        if (FixedPorts.TryParse(item.Text, out var port))
            return places.Note(port, item.Node);
        fields.Wrong(item.Node, FixedPorts.Allowed, "ports");
        return null;
    }

    private static string? Matching(TomlFields fields, string key, Func<string, bool> matches, string allowed)
    {
        var entry = fields.Entry(key);
        if (entry is null)
            return null;
        if (entry.Value is TomlText text && matches(text.Value))
            return text.Value;
        fields.Wrong(entry.Value, allowed, key);
        return null;
    }

    private static IEnumerable<TomlTable> Tables(TomlFields fields, string key)
    {
        foreach (var item in fields.List(key))
        {
            if (item is TomlTable table)
                yield return table;
            else
                fields.Wrong(item, "a table", key);
        }
    }
}
