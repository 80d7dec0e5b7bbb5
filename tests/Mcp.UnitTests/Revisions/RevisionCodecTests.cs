using System.Collections;
using System.Globalization;
using System.Reflection;
using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Model.Revisions;
using Mcp.TestKit;

namespace Mcp.UnitTests.Revisions;

/// <summary>Bodies as they are stored: pinned bytes, every member, and what another version wrote.</summary>
public sealed class RevisionCodecTests
{
    private static readonly string s_golden = Path.Combine(Repository.Root, "tests", "Mcp.UnitTests", "Revisions", "golden");

    /// <summary>A body that changed by itself would have every component of every node replaced at the next deploy after an
    /// upgrade.</summary>
    [Theory]
    [InlineData("full", "5ddc189821d983f5")]
    [InlineData("least", "2d89da8adf973913")]
    [InlineData("volumes", "4136381f4a072378")]
    public void Bytes_and_ids_are_what_they_were(string name, string id)
    {
        var service = ServiceFile.Parse(File.ReadAllText(Path.Combine(s_golden, $"{name}.toml")), $"{name}.toml");
        var file = Path.Combine(s_golden, $"{name}.json");
        var body = RevisionCodec.Write(service);
        if (Environment.GetEnvironmentVariable("EXPECT") == "write")
            File.WriteAllText(file, body);
        Assert.Equal(File.ReadAllText(file), body);
        Assert.Equal(id, RevisionId.Of(body));
        Assert.Equal(body, RevisionCodec.Write(RevisionCodec.Service(body)));
    }

    [Fact]
    public void Every_member_survives_writing_and_reading()
    {
        for (var seed = 0; seed < 300; seed++)
        {
            var random = new Random(seed);
            var service = (ServiceDefinition)Any(typeof(ServiceDefinition), "", random)!;
            var body = RevisionCodec.Write(service);
            Same(service, RevisionCodec.Service(body), $"seed {seed}");
            Same(service, RevisionCodec.LegacyService(ServiceFileWriter.Write(service)), $"seed {seed} as a file");
            foreach (var component in service.Components)
                Same(component, RevisionCodec.Component(RevisionCodec.Write(component)), $"seed {seed}");
        }
    }

    [Theory]
    // Keys of a newer version, everywhere.
    [InlineData("""{"schema":1,"name":"s","colour":"red","components":[{"name":"web","image":"x.lan/y:1","nice":[1,{"a":null}]}]}""", "colour nice")]
    [InlineData("""{"schema":1,"name":"s","components":[{"name":"web","image":"x.lan/y:1","health":{"tcp":true,"port":1,"every":1.5}}]}""", "every")]
    [InlineData("""{"schema":1,"name":"s","components":[{"name":"web","image":"x.lan/y:1","routes":[{"name":"http","port":80,"idle":"1h"}]}]}""", "idle")]
    // Values that this version cannot take.
    [InlineData("""{"schema":1,"name":"s","components":[{"name":"web","image":"x.lan/y:1","restart":"sometimes"}]}""", "restart")]
    [InlineData("""{"schema":1,"name":"s","components":[{"name":"web","image":"x.lan/y:1","volumes":["/a:/b","pool/data:/x"]}]}""", "volumes")]
    [InlineData("""{"schema":1,"name":"s","components":[{"name":"web","image":"x.lan/y:1","memory_mb":99999999999999999999}]}""", "memory_mb")]
    [InlineData("""{"schema":1,"name":"s","tier":"edge","components":[{"name":"web","image":{"oci":"x"}}]}""", "tier image")]
    public void What_another_version_stored_is_named_and_written_back(string body, string unread)
    {
        var service = RevisionCodec.Service(body);
        Assert.Equal(unread.Split(' ').Order(), service.UnreadKeys.Order());
        Assert.Equal(Sorted(body), Sorted(RevisionCodec.Write(service)));
        // And through a change of something else.
        Assert.Contains(unread.Split(' ')[0], RevisionCodec.Write(service with { Active = false }), StringComparison.Ordinal);
    }

    [Fact]
    public void What_stands_in_a_part_without_a_name_or_image_is_kept_too()
    {
        var service = RevisionCodec.Service("""{"schema":1,"name":"s","components":[{"name":"web"},{"image":"x.lan/y:1"}]}""");
        Assert.Contains("components", service.UnreadKeys);
        Assert.Contains("x.lan/y:1", RevisionCodec.Write(service), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("""{"name":"s"}""")]
    [InlineData("""{"schema":2,"name":"s"}""")]
    [InlineData("""{"schema":"1","name":"s"}""")]
    [InlineData("""{"schema":1}""")]
    [InlineData("""{"schema":1,"name":"Not A Name"}""")]
    [InlineData("""{"schema":1,"name":7}""")]
    public void What_is_no_body_is_said_to_be_unreadable(string body) =>
        Assert.Equal(ErrorCode.DefinitionUnreadable, Assert.Throws<McpException>(() => RevisionCodec.Service(body)).Code);

    [Theory]
    [InlineData("""{"name":"s"}""", "its schema is missing, and this version knows up to 1")]
    [InlineData("""{"schema":2,"name":"s"}""", "its schema is 2, and this version knows up to 1")]
    [InlineData("""{"schema":0,"name":"s"}""", "its schema is 0, and this version knows up to 1")]
    [InlineData("""{"schema":[1],"name":"s"}""", "its schema is [...], and this version knows up to 1")]
    [InlineData("[]", "it is not an object")]
    // Half a character.
    [InlineData("""{"schema":1,"name":"\ud800"}""", "Cannot read incomplete UTF-16 JSON text as string with missing low surrogate.")]
    public void What_cannot_be_read_says_why_and_what_to_do(string body, string why)
    {
        var e = Assert.Throws<McpException>(() => RevisionCodec.Service(body));
        Assert.Equal(
            ($"its stored definition cannot be read: {Label.Clip(why)}", "deploy the service's file again"),
            (e.Message, e.Hint));
    }

    [Fact]
    public void A_value_that_this_version_cannot_take_is_told_apart_from_a_key_that_it_does_not_know()
    {
        RevisionCodec.Service("""{"schema":1,"name":"s","tier":"edge"}""", out var hasUnreadable);
        Assert.True(hasUnreadable);
        RevisionCodec.Service("""{"schema":1,"name":"s","colour":"red"}""", out hasUnreadable);
        Assert.False(hasUnreadable);
        RevisionCodec.Service("""{"schema":1,"name":"s"}""", out hasUnreadable);
        Assert.False(hasUnreadable);
    }

    [Fact]
    public void An_instance_carries_its_component_as_any_version_wrote_it()
    {
        var web = new ComponentDefinition { Name = Label.Parse("web"), Image = ImageReference.Parse("x.lan/y:1"), MemoryMb = 64 };
        var (body, file) = (RevisionCodec.Write(web), "[[components]]\nname = \"web\"\nimage = \"x.lan/y:1\"\nmemory_mb = 64\n");
        Assert.True(RevisionCodec.IsBody(body));
        Assert.False(RevisionCodec.IsBody(file));
        Same(web, RevisionCodec.Carried(body), "a body");
        Same(web, RevisionCodec.Carried(file), "a file");
    }

    [Theory]
    [InlineData("", "there is no component in it")]
    [InlineData("components = []", "there is no component in it")]
    [InlineData("components = 7", "there is no component in it")]
    [InlineData("components = [7]", "there is no component in it")]
    [InlineData("[[component]]\nname = \"web\"", "there is no component in it")]
    [InlineData("[[components]]\nimage = \"x.lan/y:1\"", "name")]
    [InlineData("[[components", "1:13: ")]
    public void What_an_older_version_stored_and_is_damaged_is_unreadable(string toml, string why)
    {
        var e = Assert.Throws<McpException>(() => RevisionCodec.LegacyComponent(toml));
        Assert.Equal(ErrorCode.DefinitionUnreadable, e.Code);
        Assert.Contains(why, e.Message, StringComparison.Ordinal);
        Assert.Equal(ErrorCode.DefinitionUnreadable, Assert.Throws<McpException>(() => RevisionCodec.LegacyService(toml)).Code);
    }

    [Fact]
    public void What_is_nested_without_end_is_unreadable() => Assert.Equal(
        ErrorCode.DefinitionUnreadable,
        Assert.Throws<McpException>(() => RevisionCodec.Service(
            $$"""{"schema":1,"name":"s","x":{{new string('[', 5000)}}{{new string(']', 5000)}}}""")).Code);

    [Fact]
    public void A_file_with_what_this_version_cannot_read_has_it_too()
    {
        var service = RevisionCodec.Service(
            """{"schema":1,"name":"s","odd key":{"a":[1,2.5]},"components":[{"name":"web","image":"x.lan/y:1","nice":5}]}""");
        Assert.Equal(
            "name = \"s\"\n\"odd key\" = { a = [1, 2.5] }\n\n[[components]]\nname = \"web\"\nimage = \"x.lan/y:1\"\nnice = 5\n",
            ServiceFileWriter.Write(service));
    }

    // Members come back behind those that are known.
    private static string Sorted(string json) => string.Concat(json.Order());

    private static object? Any(Type type, string name, Random random)
    {
        if (Nullable.GetUnderlyingType(type) is { } inner)
            return random.Next(3) == 0 ? null : Any(inner, name, random);
        if (type == typeof(int))
            return random.Next(4, 1000);
        if (type == typeof(bool))
            return random.Next(2) == 0;
        if (type == typeof(TimeSpan))
            return TimeSpan.FromMilliseconds(random.Next(1, 600_000));
        if (type == typeof(Label))
            return Label.Parse($"n{random.Next(1000)}");
        if (type == typeof(ImageReference))
            return ImageReference.Parse($"x.lan/y:{random.Next(1000)}");
        if (type == typeof(Hostname))
            return Hostname.TryParse($"h{random.Next(1000)}.example.com", out var hostname) ? hostname : null;
        if (type == typeof(VolumeMount))
            return Mount(random.Next(3), random.Next(1000));
        if (type == typeof(FixedPort))
            return new FixedPort(random.Next(2) == 0 ? "127.0.0.1" : "0.0.0.0", random.Next(1, 65535), random.Next(1, 65535));
        if (type == typeof(string))
            return Text(name, random);
        if (type.IsEnum)
            return Enum.GetValues(type).GetValue(random.Next(Enum.GetValues(type).Length));
        if (type == typeof(IReadOnlyDictionary<string, string>))
            return Enumerable.Range(0, random.Next(4)).ToDictionary(i => $"V{i}", _ => Text("", random)!);
        if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IReadOnlyList<>))
            return Many(type.GetGenericArguments()[0], name, random);
        return Record(type, random);
    }

    private static VolumeMount Mount(int option, int number) => new(number % 2 == 0 ? $"/a{number}" : $"a{number}", $"/b{number}", option == 1, option == 2);

    // Each of a form of its own; what a program gets may be any text.
    private static string? Text(string name, Random random) => name switch
    {
        nameof(ComponentDefinition.Network) => "host",
        nameof(ComponentDefinition.User) => "1000:1000",
        nameof(HealthCheck.Http) => "/well?x=1",
        _ =>
            string.Concat(Enumerable.Range(0, random.Next(1, 12))
                .Select(_ => "aZ 9\"\\\n\t{}[]=#'é漢😀<&>".EnumerateRunes().ElementAt(random.Next(20)).ToString())),
    };

    private static object Many(Type item, string name, Random random)
    {
        var list = (IList)Activator.CreateInstance(typeof(List<>).MakeGenericType(item))!;
        for (var i = random.Next(4); i > 0; i--)
            list.Add(Any(item, name, random));
        return list;
    }

    private static object Record(Type type, Random random)
    {
        var made = Activator.CreateInstance(type)!;
        foreach (var property in Members(type))
        {
            var isOptional = new NullabilityInfoContext().Create(property).WriteState == NullabilityState.Nullable;
            property.SetValue(made, isOptional && random.Next(3) == 0 ? null : Any(property.PropertyType, property.Name, random));
        }

        return made;
    }

    private static IEnumerable<PropertyInfo> Members(Type type) =>
        type.GetProperties().Where(p => p.CanWrite && p.PropertyType != typeof(Unread));

    private static void Same(object? expected, object? actual, string where)
    {
        if (expected is null or string
            || expected.GetType().IsValueType
            || expected is Label or ImageReference or Hostname or VolumeMount or FixedPort)
        {
            Assert.True(Equals(expected, actual), $"{where}: {expected} became {actual}");
        }
        else if (expected is IReadOnlyDictionary<string, string> map)
        {
            Assert.Equal(map.OrderBy(m => m.Key), ((IReadOnlyDictionary<string, string>)actual!).OrderBy(m => m.Key));
        }
        else if (expected is IList list)
        {
            var other = ((IEnumerable)actual!).Cast<object>().ToList();
            Assert.True(
                list.Count == other.Count,
                string.Create(CultureInfo.InvariantCulture, $"{where}: {list.Count} became {other.Count}"));
            for (var i = 0; i < list.Count; i++)
                Same(list[i], other[i], $"{where}[{i}]");
        }
        else
        {
            Assert.All(Members(expected.GetType()), p => Same(p.GetValue(expected), p.GetValue(actual), $"{where}.{p.Name}"));
        }
    }
}
