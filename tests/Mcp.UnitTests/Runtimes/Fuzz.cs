using System.Text;
using System.Text.Json.Nodes;
using Mcp.Runtimes.Images;

namespace Mcp.UnitTests.Runtimes;

/// <summary>Hostile documents and layers: well-formed ones with one or more places changed, the same for the same seed.</summary>
internal sealed class Fuzz(int seed, string outside)
{
    private const int BlockBytes = 512;
    private readonly Random _random = new(seed);

    /// <summary>One time in so many.</summary>
    public bool Chance(int many) => _random.Next(many) == 0;

    public T One<T>(params T[] all) => all[_random.Next(all.Length)];

    public string? Maybe(int many, Func<string> make) => Chance(many) ? make() : null;

    /// <summary>Fit for a header, and for nothing else.</summary>
    public string HeaderText() =>
        One(
            "",
            "sha256:",
            $"sha256:{new string('0', 64)}",
            $"sha256:{new string('G', 64)}",
            "/etc/passwd",
            outside,
            new string('a', 3000),
            "\"",
            "a=\"b\",,=",
            "%00%2e%2e",
            "0",
            "-1");

    /// <summary>A document with up to three places changed, and now and then its text.</summary>
    public string Document(JsonNode root)
    {
        if (Chance(3))
            return root.ToJsonString();
        var holder = new JsonArray(root);
        for (var changes = _random.Next(3); changes >= 0; changes--)
            Change(holder);
        var text = holder.Count > 0 ? holder[0]?.ToJsonString() ?? "null" : "";
        return Chance(5) ? Encoding.Latin1.GetString(Bytes(Encoding.UTF8.GetBytes(text))) : text;
    }

    public (byte[] Bytes, LayerPacking Packing) Layer()
    {
        using var tar = new MemoryStream();
        for (var entries = _random.Next(1, 12); entries > 0; entries--)
            Entry(tar);
        if (!Chance(5))
            tar.Write(new byte[2 * BlockBytes]);
        var bytes = Chance(4) ? Bytes(tar.ToArray()) : tar.ToArray();
        var packing = One(LayerPacking.None, LayerPacking.None, LayerPacking.Gzip, LayerPacking.Zstd);
        if (packing == LayerPacking.Gzip)
            bytes = ScriptedRegistry.Gzip(bytes);
        if (packing == LayerPacking.Zstd)
        {
            using var zstd = new ZstdSharp.Compressor(1);
            bytes = zstd.Wrap(bytes).ToArray();
        }

        return (packing != LayerPacking.None && Chance(5) ? Bytes(bytes) : bytes, packing);
    }

    private void Change(JsonArray holder)
    {
        var nodes = new List<JsonNode>();
        void Collect(JsonNode? node)
        {
            if (node is null)
                return;
            nodes.Add(node);
            foreach (var below in node is JsonObject members ? members.Select(m => m.Value) : node is JsonArray items ? items : [])
                Collect(below);
        }

        foreach (var top in holder)
            Collect(top);
        if (nodes.Count == 0)
            return;
        var victim = nodes[_random.Next(nodes.Count)];
        if (victim.Parent is JsonObject parent)
        {
            var name = victim.GetPropertyName();
            parent.Remove(name);
            if (!Chance(5))
                parent[Chance(20) ? name.ToUpperInvariant() : name] = Value(victim);
        }
        else if (victim.Parent is JsonArray list)
        {
            var at = victim.GetElementIndex();
            list.RemoveAt(at);
            for (var copies = Chance(20) ? 600 : Chance(5) ? 0 : 1; copies > 0; copies--)
                list.Insert(at, Value(victim));
        }
    }

    private JsonNode? Value(JsonNode victim) => _random.Next(10) switch
    {
        0 => null,
        1 => JsonValue.Create(One(0L, -1L, 1L, long.MaxValue, long.MinValue, 4_194_305L)),
        2 => JsonValue.Create(One(1e300, -0.5, 1.5)),
        3 =>
            JsonValue.Create(One(
                "",
                "/",
                "..",
                "../../outside/victim",
                $"{outside}/victim",
                $"sha256:{outside}/victim",
                "sha256:../../../outside/victim",
                "\0",
                "\u001b[31m",
                "\u202e")),
        4 =>
            JsonValue.Create(
                $"sha256:{One(new string('0', 64), new string('A', 64), new string('0', 63), new string('0', 65), new string('0', 64) + "\n", new string('\u0660', 64))}"),
        5 => JsonValue.Create(new string(One('a', '/', '\u4e00'), One(1, 100, 5000))),
        6 => Chance(2) ? new JsonArray() : new JsonObject(),
        7 => Deep(One(5, 70)),
        8 => new JsonArray(victim.DeepClone(), null),
        _ => victim.DeepClone(),
    };

    private static JsonNode Deep(int levels)
    {
        JsonNode node = new JsonArray();
        for (; levels > 0; levels--)
            node = new JsonArray(node);
        return node;
    }

    private void Entry(MemoryStream tar)
    {
        var header = new byte[BlockBytes];
        var name = One(
            "a",
            "b",
            "a/b",
            "a/b/c",
            "d/",
            "./",
            "..",
            "x/..",
            "../outside/victim",
            "../victim",
            $"{outside}/victim",
            "/etc/x",
            "l",
            "l/victim",
            "l/../victim",
            ".wh.a",
            ".wh.",
            ".wh..",
            ".wh...",
            "a/.wh.b",
            "a/.wh..wh..opq",
            ".wh..wh..opq",
            "l/.wh.victim",
            "",
            new string('n', 100));
        var link = One(
            "",
            "a",
            "b",
            "/",
            "..",
            "../..",
            "../outside",
            outside,
            $"{outside}/victim",
            "../outside/victim",
            "l",
            "x/..",
            new string('y', 100));
        Put(header, 0, name, 100);
        Put(header, 100, One("0000644", "0000777", "0004755", "7777777", "\u0080aaaaaa", "abc"), 8);
        Put(header, 108, One("0000000", "7777777", "\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff"), 8);
        Put(header, 116, "0000000", 8);
        var type = One(
            '0',
            '0',
            '0',
            '\0',
            '1',
            '2',
            '2',
            '5',
            '3',
            '4',
            '6',
            '7',
            'x',
            'g',
            'L',
            'K',
            'S',
            'V',
            'M',
            'D',
            'N',
            'X',
            'A',
            '?');
        var content = Content(type, name);
        var size = Chance(15)
            ? One(
                "77777777777",
                "13000000000",
                "00000000001",
                "-0000000001",
                "\u0080\0\0\0\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff",
                "\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff",
                "        ",
                "zzz")
            : Convert.ToString(content.Length, 8).PadLeft(11, '0');
        Put(header, 124, size, 12);
        Put(
            header,
            136,
            One("00000000000", "14000000000", "77777777777", "\u0080\0\0\0\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff"),
            12);
        Put(header, 148, "        ", 8);
        header[156] = (byte)type;
        Put(header, 157, link, 100);
        Put(header, 257, One("ustar\u000000", "ustar\u000000", "ustar  \0", "", "xxxxx"), 8);
        Put(header, 345, Chance(20) ? One("..", "/", "p", "l") : "", 155);
        Put(header, 148, $"{Convert.ToString(header.Sum(b => b) + (Chance(30) ? 1 : 0), 8).PadLeft(6, '0')}\0 ", 8);
        tar.Write(header);
        tar.Write(content);
        tar.Write(new byte[(BlockBytes - (content.Length % BlockBytes)) % BlockBytes]);
    }

    private byte[] Content(char type, string name)
    {
        if (type is 'x' or 'g' or 'X')
            return [.. Enumerable.Range(0, _random.Next(4)).SelectMany(_ => Attribute())];
        if (type is 'L' or 'K' or 'N')
        {
            return Encoding.Latin1.GetBytes(
                One(name, $"{outside}/victim", "../outside/victim", "x/..", new string('z', One(200, 5000, 70_000))) + "\0");
        }

        // What has no content, and now and then has some all the same.
        return type is '1' or '2' or '5' or '3' or '4' or '6' && !Chance(20) ? [] : new byte[One(0, 1, 10, 511, 512, 513, 5000)];
    }

    private byte[] Attribute()
    {
        var text = One(
            "path=../outside/victim",
            $"path={outside}/victim",
            "path=x/..",
            "path=.wh...",
            "path=a\0b",
            "linkpath=/",
            $"linkpath={outside}",
            "size=0",
            "size=99999999999",
            "size=-1",
            "size=1e9",
            "mtime=1e300",
            "mtime=-1",
            "uid=-1",
            "gid=99999999999999",
            "GNU.sparse.major=1",
            "GNU.sparse.realsize=1000000000000",
            "SCHILY.xattr.security.capability=x",
            "SCHILY.xattr.user.a=b",
            "=",
            "a",
            "comment=" + new string('c', One(10, 1000)));
        var length = Encoding.UTF8.GetByteCount(text) + 2;
        while (length.ToString(System.Globalization.CultureInfo.InvariantCulture).Length + Encoding.UTF8.GetByteCount(text) + 2 != length)
            length++;
        return Encoding.UTF8.GetBytes($"{(Chance(10) ? One(0, -1, 1, 99999) : length)} {text}\n");
    }

    // Some bytes changed, put in, or cut off.
    private byte[] Bytes(byte[] bytes)
    {
        var all = bytes.ToList();
        for (var changes = _random.Next(1, 6); changes > 0 && all.Count > 0; changes--)
        {
            var at = _random.Next(all.Count);
            switch (_random.Next(4))
            {
                case 0:
                    all[at] = (byte)_random.Next(256);
                    break;
                case 1:
                    all.Insert(at, (byte)_random.Next(256));
                    break;
                case 2:
                    all.RemoveRange(at, Math.Min(all.Count - at, One(1, 10, 512)));
                    break;
                default:
                    all[at] ^= (byte)(1 << _random.Next(8));
                    break;
            }
        }

        return [.. all];
    }

    private static void Put(byte[] header, int at, string text, int most) =>
        Encoding.Latin1.GetBytes(text[..Math.Min(text.Length, most)]).CopyTo(header, at);
}
