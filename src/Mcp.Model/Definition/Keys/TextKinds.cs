using System.Net;
using Mcp.Model.Names;

namespace Mcp.Model.Definition.Keys;

/// <summary>Texts that more than one file has.</summary>
internal static class TextKinds
{
    public static readonly TextKind<string> Any = Of("a string", _ => true);

    public static readonly TextKind<Label> Name = new(Label.Allowed, Label.TryParse, l => l.Text, pattern: Label.Pattern);

    public static readonly TextKind<Hostname> Hostname = new(Names.Hostname.Allowed, Names.Hostname.TryParse, h => h.Text);

    public static readonly TextKind<string> Labels = Of("labels of a-z, 0-9 and '-' joined by dots", AreLabels);

    /// <summary>Below it services have their names.</summary>
    public static readonly TextKind<string> Zone =
        Of("labels of a-z, 0-9 and '-' joined by dots; not node.mcp", text => AreLabels(text) && !IsOfNodes(text));

    /// <summary>Where a server listens, or is asked.</summary>
    public static TextKind<IPEndPoint> Endpoint(string example) =>
        new($"address:port, such as {example}", TryParseEndpoint, endpoint => endpoint.ToString());

    public static TextKind<string> Of(string allowed, Func<string, bool> matches)
    {
        return new(allowed, TryParse, t => t);

        bool TryParse(string text, out string value)
        {
            value = text;
            return matches(text);
        }
    }

    /// <summary>Such names are identities of nodes: no service may get a certificate for one.</summary>
    public static bool IsOfNodes(string name) => $".{name}".EndsWith(".node.mcp", StringComparison.Ordinal);

    private static bool AreLabels(string text) => text.Length <= 253 && text.Split('.').All(label => Label.TryParse(label, out _));

    private static bool TryParseEndpoint(string text, out IPEndPoint endpoint) =>
        IPEndPoint.TryParse(text, out endpoint!) && endpoint.Port > 0;
}
