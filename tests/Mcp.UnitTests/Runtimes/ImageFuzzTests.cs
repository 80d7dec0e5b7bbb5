using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Mcp.Model.Errors;
using Mcp.Model.Names;
using Mcp.Runtimes.Images;

namespace Mcp.UnitTests.Runtimes;

/// <summary>Documents and layers that somebody with bad intentions, or chance, has made. MCP_FUZZ says how many of each; bench/run long
/// images runs 100,000.</summary>
public sealed class ImageFuzzTests
{
    // Mostly they wait for the disk.
    private const int Workers = 4;
    private static readonly int s_count = int.Parse(Environment.GetEnvironmentVariable("MCP_FUZZ") ?? "2000", CultureInfo.InvariantCulture);

    [Fact]
    public async Task Whatever_a_registry_says_the_answer_is_an_image_or_an_error_in_plain_words_and_nothing_outside_is_touched()
    {
        var pulled = await Task.WhenAll(Enumerable.Range(0, Workers).Select(w => Task.Run(() => PullAsync(w))));
        Assert.True(pulled.Sum() > s_count / 100, $"only {pulled.Sum()} of {s_count} were images at all");
    }

    [Fact]
    public async Task Whatever_a_layer_is_it_is_unpacked_or_an_error_in_plain_words_and_nothing_outside_is_touched()
    {
        var unpacked = await Task.WhenAll(Enumerable.Range(0, Workers).Select(w => Task.Run(() => UnpackAsync(w))));
        Assert.True(unpacked.Sum() > s_count / 100, $"only {unpacked.Sum()} of {s_count} were archives at all");
    }

    private static async Task<int> PullAsync(int worker)
    {
        using var place = new Place();
        using var registry = new ScriptedRegistry();
        registry.Publish();
        var image = ImageReference.Parse($"127.0.0.1:{registry.Port}/team/app:v1");
        var auth = Path.Combine(place.Directory, "auth.json");
        await File.WriteAllTextAsync(auth, $$"""{"auths":{"127.0.0.1:{{registry.Port}}":{"auth":"{{ScriptedRegistry.Login}}"} } }""");
        var (before, pulled) = (place.State(), 0);
        for (var seed = worker; seed < s_count; seed += Workers)
        {
            Hostile(registry, new Fuzz(seed, place.Outside));
            pulled += await TriedAsync(
                seed,
                () => new ImageStore(place.Inside, new RegistryCredentials(auth)).PullAsync(image, null, default));
            Assert.True(before == place.State(), $"{seed}: something outside changed:\n{before}\n{place.State()}");
        }

        Assert.All(
            Directory.EnumerateFileSystemEntries(place.Inside).Select(p => Path.GetFileName(p)!),
            name => Assert.True(name is "lock" or "refs" || Digest.IsHex(name), name));
        return pulled;
    }

    private static async Task<int> UnpackAsync(int worker)
    {
        using var place = new Place();
        var (before, unpacked) = (place.State(), 0);
        for (var seed = worker; seed < s_count; seed += Workers)
        {
            var fuzz = new Fuzz(seed, place.Outside);
            Directory.CreateDirectory(place.Inside);
            // Two, so that the second finds links and directories of the first.
            var allowance = new Allowance(new ImageLimits(4 * 1024 * 1024, 1000), new DiskRoom(place.Inside));
            for (var layer = 0; layer < 2; layer++)
            {
                var (bytes, packing) = fuzz.Layer();
                unpacked += await TriedAsync(seed, async () =>
                {
                    using var packed = new MemoryStream(bytes);
                    await using var tar = ImageStore.Decompressed(packed, packing);
                    await new Layer(place.Inside, allowance).UnpackAsync(tar, default);
                });
            }

            Assert.True(before == place.State(), $"{seed}: something outside changed:\n{before}\n{place.State()}");
            Assert.True(
                Directory.Exists(place.Inside) && new DirectoryInfo(place.Inside).LinkTarget is null,
                $"{seed}: the tree was replaced");
            Directory.Delete(place.Inside, recursive: true);
        }

        return unpacked;
    }

    private static async Task<int> TriedAsync(int seed, Func<Task> what)
    {
        try
        {
            await what();
            return 1;
        }
        catch (McpException e)
        {
            var said = $"{e.Message} {e.Hint}";
            Assert.True(
                e.Message.Length is > 10 and < 1000
                    && !said.Contains("Exception", StringComparison.Ordinal)
                    && !said.Contains("System.", StringComparison.Ordinal)
                    && !said.Any(char.IsControl),
                $"{seed}: {said}");
            return 0;
        }
        catch (Exception e)
        {
            throw new InvalidOperationException($"seed {seed}: {e.GetType()}", e);
        }
    }

    private static void Hostile(ScriptedRegistry registry, Fuzz fuzz)
    {
        registry.Forget();
        registry.Publish();
        registry.Scheme = fuzz.One("", "", "", "Bearer", "Basic");
        registry.TokenReply = fuzz.Maybe(
            10,
            () => fuzz.Document(JsonNode.Parse("""{"token":"a-token","access_token":"a-token","expires_in":300}""")!));
        registry.ContentDigest = fuzz.Maybe(10, fuzz.HeaderText);
        registry.Realm = fuzz.Maybe(
            10,
            () => fuzz.One(
                "",
                "/token",
                "http://",
                "https://127.0.0.1:1/",
                "http://127.0.0.1:1/x?a=b",
                "http://192.0.2.1/",
                "file:///etc/passwd",
                fuzz.HeaderText()));
        registry.Instead = context =>
        {
            if (!fuzz.Chance(20))
                return false;
            context.Response.StatusCode = fuzz.One(200, 204, 206, 301, 307, 308, 401, 403, 404, 416, 429, 500, 503);
            foreach (var (name, value) in ((string, string)[])[
                ("Location", fuzz.One("/v2/", "http://127.0.0.1:1/", "//", fuzz.HeaderText())),
                ("Content-Range", fuzz.One("bytes 5-9/10", "bytes */1", fuzz.HeaderText())),
                ("WWW-Authenticate", fuzz.One("Bearer", "Bearer realm=\"", "Basic x", fuzz.HeaderText())),
            ])
                context.Response.AddHeader(name, value);
            context.Response.Close(Encoding.UTF8.GetBytes(fuzz.HeaderText()), willBlock: true);
            return true;
        };
        var config = Encoding.UTF8.GetBytes(fuzz.Document(
            JsonNode.Parse(
                $$"""{"architecture":"{{ImageStore.Architecture}}","os":"linux","config":{"Env":["A=b"],"Entrypoint":["/data"],"Cmd":["x"],"WorkingDir":"/","User":"1:1"},"rootfs":{"type":"layers","diff_ids":["{{registry.Layer}}"] } }""")!));
        var manifest = JsonNode.Parse(registry.ManifestOf(
            registry.Layer,
            fuzz.Chance(500) ? 1_000_000 : fuzz.Chance(8) ? fuzz.One(0L, 1L, 50L) : LayerSize(registry)))!;
        manifest["mediaType"] = "application/vnd.oci.image.manifest.v1+json";
        manifest["config"] = JsonNode.Parse(
            $$"""{"digest":"{{registry.Keep(config)}}","size":{{config.Length}},"mediaType":"application/vnd.oci.image.config.v1+json"}""");
        registry.Manifest = Encoding.UTF8.GetBytes(fuzz.Document(manifest));
        if (!fuzz.Chance(3))
            return;
        var index = JsonNode.Parse(
            $$"""{"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"digest":"{{registry.Keep(registry.Manifest)}}","size":{{registry.Manifest.Length}},"platform":{"os":"linux","architecture":"{{ImageStore.Architecture}}" } }]}""")!;
        registry.Manifest = Encoding.UTF8.GetBytes(fuzz.Document(index));
    }

    private static long LayerSize(ScriptedRegistry registry) => (long)JsonNode.Parse(registry.Manifest)!["layers"]![0]!["size"]!;

    /// <summary>A store, and around it files that are none of its business.</summary>
    private sealed class Place : IDisposable
    {
        public Place()
        {
            System.IO.Directory.CreateDirectory(Outside);
            File.WriteAllText(Path.Combine(Outside, "victim"), "mine");
            File.WriteAllText(Path.Combine(Directory, "victim"), "mine");
        }

        public string Directory { get; } = System.IO.Directory.CreateTempSubdirectory("mcp-fuzz").FullName;

        public string Outside => Path.Combine(Directory, "outside");

        public string Inside => Path.Combine(Directory, "inside");

        /// <summary>Names, times and contents; not of the store itself.</summary>
        public string State() => string.Join('\n', TreeWalk.Of(Directory)
            .Where(f => f.FullName != Inside && !f.FullName.StartsWith(Inside + "/", StringComparison.Ordinal))
            .Select(f => $"{f.FullName} {f.LastWriteTimeUtc:O} {f.UnixFileMode} {f.LinkTarget} "
                + $"{(f is FileInfo ? File.ReadAllText(f.FullName) : "")}").Order(
                StringComparer.Ordinal));

        public void Dispose() => System.IO.Directory.Delete(Directory, recursive: true);
    }
}
