using Mcp.Model.Definition.Tree;

namespace Mcp.Model.Deploy;

/// <summary>What looks like a secret. A guess for what people are shown, and on the careful side: nothing is kept secret by it
/// alone.</summary>
internal static class Secrets
{
    private const int LongestName = 100;

    // What is longer is not looked through, and counts as a secret.
    private const int LongestValue = 4096;

    // Anywhere in a name.
    private static readonly string[] s_parts = ["PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "TOKEN", "CREDENTIAL", "PRIVATE", "COOKIE"];

    // At the end of one of its words: API_KEY, APIKEY, KEY_ID, but not KEYBOARD.
    private static readonly string[] s_ends = ["KEY", "KEYS", "PASS", "PWD", "AUTH", "DSN", "SALT"];

    // Of values, as the field gives them: HTTP's Authorization, GitHub, GitLab, Slack, Stripe, OpenAI, AWS, JSON web tokens.
    private static readonly string[] s_beginnings =
        ["bearer ", "basic ", "ghp_", "gho_", "ghs_", "github_pat_", "glpat-", "xoxb-", "xoxp-", "sk_live_", "sk-", "AKIA", "eyJ"];

    /// <summary>Whether a variable or an option of this name holds one: DB_PASSWORD, apiKey, --token.</summary>
    public static bool Names(string name)
    {
        var upper = name.ToUpperInvariant();
        return s_parts.Any(p => upper.Contains(p, StringComparison.Ordinal))
            || upper.Split(['_', '-', '.', ' ']).Any(word => s_ends.Any(e => word.EndsWith(e, StringComparison.Ordinal)));
    }

    /// <summary>Whether there is one in a value.</summary>
    public static bool AreIn(Node node) => node switch
    {
        TextNode text => AreIn(text.Value),
        ListNode list => list.Items.Any(i => AreIn(i) || (i is TextNode { Value: ['-', ..] } option && Names(option.Value))),
        TableNode table => table.Entries.Any(e => Names(e.Key) || AreIn(e.Value.Value)),
        _ => false,
    };

    private static bool AreIn(string text) =>
        text.Length > LongestValue
            || text.Contains("PRIVATE KEY-----", StringComparison.Ordinal)
            || s_beginnings.Any(b => text.StartsWith(b, StringComparison.OrdinalIgnoreCase))
            || InUrl(text)
            || IsNamed(text);

    // scheme://user:password@host
    private static bool InUrl(string text)
    {
        foreach (var word in text.Split([' ', '\t', '\r', '\n', ',', '"', '\'']))
        {
            var start = word.IndexOf("://", StringComparison.Ordinal) + 3;
            var end = word.LastIndexOf('@');
            if (start > 2 && end > start && word.AsSpan(start, end - start).Contains(':'))
                return true;
        }

        return false;
    }

    // password=..., "password": "...", password: ...; not the colon of a path: /srv/key:/data
    private static bool IsNamed(string text)
    {
        for (var i = 1; i < text.Length; i++)
        {
            if (text[i] is not ('=' or ':'))
                continue;
            var head = text.AsSpan(Math.Max(0, i - LongestName), Math.Min(i, LongestName)).TrimEnd();
            var isQuoted = head is [.., '"' or '\''];
            if (text[i] == ':' && !isQuoted && (i + 1 == text.Length || text[i + 1] != ' '))
                continue;
            var name = head.TrimEnd("\"'");
            var start = name.Length;
            while (start > 0 && (char.IsAsciiLetterOrDigit(name[start - 1]) || name[start - 1] is '_' or '-' or '.'))
                start--;
            if (Names(name[start..].ToString()))
                return true;
        }

        return false;
    }
}
