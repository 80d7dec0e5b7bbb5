using CsCheck;
using Mcp.Model.Definition;

namespace Mcp.UnitTests.Definition;

public class ServiceFileTests
{
    private const string Full = """
        name   = "blog"
        tier   = "core"
        node   = "rift"
        active = false

        [[components]]
        name      = "web"
        image     = "registry.lan:5000/blog:v1.4.2"
        runtime   = "container"
        memory_mb = 256
        vcpus     = 2
        cmd       = ["server", "--config", "/srv/blog/blog.toml"]
        env       = { LOG_LEVEL = "info", QUOTE = "a \"b\" \\ \n c" }
        volumes   = ["/srv/blog:/srv/blog:ro"]
        ports     = ["127.0.0.1:8443:8443", "9000:90"]
        network   = "bridge"
        user      = "1000:1000"
        restart   = "on-failure"
        health    = { http = "/healthz", port = 8080, interval = "500ms", timeout = "1s", retries = 15 }

        [[components.routes]]
        name     = "http"
        port     = 8080
        mode     = "l7"
        hostname = "blog.example.com"
        public   = true

        [[components]]
        name = "cache"
        image = "docker.io/library/redis:7"
        """;

    private static readonly string[] s_junk =
    [
        "",
        "[",
        "]]",
        "=",
        "\"",
        "'''",
        "\n",
        ".",
        "{",
        "99999999999999999999",
        "\u0000",
        "[[components]]",
        "1979-05-27",
        "name",
    ];

    [Fact]
    public void Every_field_survives_writing_and_reading()
    {
        var read = ServiceFile.Parse(Full, "blog.toml");
        var written = ServiceFileWriter.Write(read);
        Assert.Equal(written, ServiceFileWriter.Write(ServiceFile.Parse(written, "again")));
        var web = read.Components[0];
        Assert.Equal((Tier.Core, "rift", false, 2), (read.Tier, read.Node!.Text, read.Active, read.Components.Count));
        Assert.Equal("a \"b\" \\ \n c", web.Env["QUOTE"]);
        Assert.Equal(new FixedPort("0.0.0.0", 9000, 90), web.Ports[1]);
        Assert.Equal(TimeSpan.FromMilliseconds(500), web.Health!.Interval);
        Assert.True(web.Volumes[0].ReadOnly && web.Routes[0].Public && web.StopFirst);
    }

    [Fact]
    public void All_mistakes_are_reported_at_once_with_line_and_column()
    {
        var e = Assert.Throws<ServiceFileException>(() => ServiceFile.Parse("""
            name = "Blog"
            [[components]]
            name = "web"
            imagee = "x"
            memory_mb = "lots"
            [[components]]
            name = "web"
            image = "docker.io/library/nginx:1"
            health = { http = "/", tcp = true }
            """, "f.toml"));
        Assert.Contains(e.Problems, p => p is { Line: 1, Column: 8, Value: "Blog" });
        Assert.Contains(
            e.Problems,
            p => p is { Line: 4, Column: 1, Value: "imagee" } && p.Allowed.StartsWith("did you mean 'image'?", StringComparison.Ordinal));
        Assert.Contains(e.Problems, p => p is { Line: 5, Column: 13, Value: "lots" });
        Assert.Contains(e.Problems, p => p.Line == 2 && p.Message.Contains("needs 'image'", StringComparison.Ordinal));
        Assert.Contains(e.Problems, p => p.Line == 6 && p.Message.Contains("same name", StringComparison.Ordinal));
        Assert.Contains(e.Problems, p => p.Line == 9 && p.Message.Contains("exactly one question", StringComparison.Ordinal));
        Assert.StartsWith("f.toml:1:8: ", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("unikernel", "volumes = [\"/srv/a:/a\"]", "a unikernel cannot write to a volume")]
    [InlineData("unikernel", "volumes = [\"data:/a\"]", "a unikernel has no named volumes")]
    [InlineData("unikernel", "volumes = [\"data:/a:ro\"]", "a unikernel has no named volumes")]
    [InlineData("unikernel", "stop_signal = \"SIGINT\"", "a unikernel has no signals")]
    [InlineData("unikernel", "user = \"1\"", "'user' is for containers")]
    [InlineData("microvm", "network = \"host\"", "a VM has no such network")]
    [InlineData("unikernel", "health = { exec = [\"true\"] }", "no program can be run inside a unikernel")]
    [InlineData("unikernel", "health = { tcp = true, port = 80 }", "QEMU takes connections for a unikernel")]
    [InlineData("unikernel", "network = \"user\"\nhealth = { tcp = true, port = 80 }", "grpc = true, or network = \"bridge\"")]
    public void What_a_VM_cannot_have_is_refused(
        string runtime,
        string line,
        string says) => Assert.Contains(says, Assert.Throws<ServiceFileException>(() => ServiceFile.Parse($"""
        name = "vm"
        [[components]]
        name = "web"
        image = "x.lan/y:1"
        runtime = "{runtime}"
        {line}
        """, "vm.toml")).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("microvm", "health = { exec = [\"true\"] }")]
    [InlineData("microvm", "health = { tcp = true, port = 80 }")]
    [InlineData("unikernel", "network = \"bridge\"\nhealth = { tcp = true, port = 80 }")]
    public void What_can_be_asked_of_a_VM_is_accepted(string runtime, string lines) =>
        Assert.NotNull(ServiceFile.Parse($"""
            name = "vm"
            [[components]]
            name = "web"
            image = "x.lan/y:1"
            runtime = "{runtime}"
            {lines}
            """, "vm.toml").Components[0].Health);

    [Theory]
    [InlineData("a.b")]
    [InlineData("a/b")]
    [InlineData("../x")]
    [InlineData("")]
    [InlineData("-a")]
    [InlineData("ünder")]
    public void Names_that_are_no_labels_are_refused(string name) =>
        Assert.Throws<ServiceFileException>(() => ServiceFile.Parse(
            $"name = \"{name}\"\n[[components]]\nname = \"a\"\nimage = \"docker.io/a/b:1\"",
            "f"));

    [Fact]
    public void A_name_of_300_characters_is_refused_and_clipped_in_the_message()
    {
        var e = Assert.Throws<ServiceFileException>(() => ServiceFile.Parse($"name = \"{new string('a', 300)}\"", "f"));
        Assert.All(e.Problems, p => Assert.True(p.Value.Length <= 60));
    }

    [Fact]
    public void A_file_over_1_MiB_is_refused() =>
        Assert.Contains(
            "too large",
            Assert.Throws<ServiceFileException>(() => ServiceFile.Parse(new string('#', ServiceFile.MaxBytes + 1), "f")).Message,
            StringComparison.Ordinal);

    [Fact]
    public void Garbage_throws_nothing_but_our_error() =>
        Gen.String.Sample(OnlyOurs, iter: 3000);

    [Fact]
    public void A_mutilated_file_throws_nothing_but_our_error() =>
        Gen.Select(Gen.Int[0, Full.Length - 1], Gen.Int[0, 40], Gen.Int[0, s_junk.Length - 1].Select(i => s_junk[i]))
            .Sample(
                (at, cut, put) => OnlyOurs(string.Concat(Full.AsSpan(0, at), put, Full.AsSpan(Math.Min(Full.Length, at + cut)))),
                iter: 5000);

    private static bool OnlyOurs(string text)
    {
        try
        {
            return ServiceFile.Parse(text, "f") is not null;
        }
        catch (ServiceFileException e)
        {
            return e.Problems.Count > 0 && e.Problems.All(p => p.Line >= 1 && p.Column >= 1);
        }
    }

    [Theory]
    [InlineData("container", "", "[::]:80:8080", "a container cannot be published on [::]")]
    [InlineData("container", "", "[::1]:80:8080", "IPv6 loopback")]
    [InlineData("container", "", "[::ffff:10.1.2.3]:80:8080", "10.1.2.3")]
    [InlineData("container", "network = \"host\"", "80:8080", "the same number inside and outside")]
    [InlineData("microvm", "", "[fd00::2]:80:8080", "no IPv6 connections")]
    [InlineData("unikernel", "network = \"user\"", "[::]:80:8080", "no IPv6 connections")]
    public void A_port_that_could_pass_no_byte_is_refused(string runtime, string network, string port, string why)
    {
        var e = Assert.Throws<ServiceFileException>(() => ServiceFile.Parse(WithPort(runtime, network, port), "blog.toml"));
        Assert.Contains(why, Assert.Single(e.Problems).ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("container", "", "[fd00::2]:80:8080")]
    [InlineData("container", "", "10.1.2.3:80:8080")]
    [InlineData("container", "network = \"host\"", "53:53")]
    [InlineData("microvm", "network = \"bridge\"", "[::]:80:8080")]
    public void A_port_that_may_pass_bytes_is_taken(string runtime, string network, string port) =>
        Assert.Single(ServiceFile.Parse(WithPort(runtime, network, port), "blog.toml").Components[0].Ports);

    private static string WithPort(string runtime, string network, string port) => $"""
        name = "blog"
        [[components]]
        name = "web"
        image = "localhost/web:1"
        runtime = "{runtime}"
        ports = ["{port}"]
        {network}
        """;
}
