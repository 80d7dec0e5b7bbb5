using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Mcp.Model.Names;

namespace Mcp.Usage;

/// <summary>Options with a rule for their value, which the mistake names.</summary>
public static class Values
{
    /// <summary>A text that is not empty.</summary>
    public static Option<string> Text(string name, string means, string value, bool required = false)
    {
        var option = new Option<string>(name) { Description = means, HelpName = value, Required = required };
        option.Validators.Add(given => Refuse(given, given.Tokens.Any(t => t.Value.Length == 0), "needs a value"));
        return option;
    }

    /// <param name="wrong">What is wrong with a value; null: nothing. Not asked of an empty one.</param>
    public static void Check(this Option option, Func<string, string?> wrong) => option.Validators.Add(given =>
    {
        if (given.Tokens.Select(t => t.Value).Where(v => v.Length > 0).Select(wrong).FirstOrDefault(w => w is not null) is { } why)
            given.AddError(why);
    });

    /// <summary>One of these words.</summary>
    public static void OnlyFrom(this Option option, params string[] words)
    {
        option.CompletionSources.Add(words);
        option.Validators.Add(given => Refuse(given, option.Name, words));
    }

    /// <inheritdoc cref="OnlyFrom(Option, string[])"/>
    public static void OnlyFrom(this Argument argument, params string[] words)
    {
        argument.CompletionSources.Add(words);
        argument.Validators.Add(given => Refuse(given, $"<{argument.HelpName ?? argument.Name}>", words));
    }

    /// <summary>Where a program answers: a name or an address; without a port it is <see cref="Mcp.Usage.Address.Port"/>.</summary>
    public static Option<string?> Address(string name, string means)
    {
        var option = new Option<string?>(name) { Description = means, HelpName = "ADDRESS" };
        option.Validators.Add(given =>
        {
            if (given.Tokens.Select(t => t.Value).FirstOrDefault(v => !Mcp.Usage.Address.IsOne(v)) is { } wrong)
                given.AddError($"{name} must be a name or an address, such as 127.0.0.1:7443, not '{Label.Clip(wrong)}'");
        });
        return option;
    }

    /// <summary>A whole number.</summary>
    /// <param name="unlessGiven">Null: there is none.</param>
    public static Option<int?> Whole(string name, string shortName, string means, int least, int most, int? unlessGiven)
    {
        var option = new Option<int?>(name, shortName)
        {
            Description = means,
            HelpName = "N",
            CustomParser = given =>
            {
                var text = given.Tokens[0].Value;
                if (int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
                    && number >= least
                    && number <= most)
                {
                    return number;
                }

                var allowed = string.Create(CultureInfo.InvariantCulture, $"from {least} to {most}");
                given.AddError($"{name} must be a whole number {allowed}, not '{Label.Clip(text)}'");
                return unlessGiven;
            },
        };
        if (unlessGiven is not null)
            option.DefaultValueFactory = _ => unlessGiven;
        return option;
    }

    /// <summary>A number, in the culture of programs: 0.5.</summary>
    /// <param name="least">Itself not allowed: more than this.</param>
    /// <param name="most">Itself allowed.</param>
    public static Option<double> Number(string name, string means, double least, double most, double unlessGiven) =>
        new(name)
        {
            Description = means,
            HelpName = "N",
            DefaultValueFactory = _ => unlessGiven,
            CustomParser = given =>
            {
                var text = given.Tokens[0].Value;
                // Without thousands: 1,5 is no 15.
                if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number)
                    && number > least
                    && number <= most)
                {
                    return number;
                }

                var allowed = string.Create(CultureInfo.InvariantCulture, $"more than {least} and at most {most}");
                given.AddError($"{name} must be a number, {allowed}, not '{Label.Clip(text)}'");
                return unlessGiven;
            },
        };

    private static void Refuse(SymbolResult given, string name, string[] words)
    {
        if (given.Tokens.Select(t => t.Value).FirstOrDefault(v => !words.Contains(v)) is { } wrong)
            given.AddError($"{name} must be {Either(words)}, not '{Label.Clip(wrong)}'{Mistakes.Nearest(wrong, words)}");
    }

    // At least two.
    private static string Either(string[] words) => $"{string.Join(", ", words[..^1])} or {words[^1]}";

    private static void Refuse(OptionResult given, bool wrong, string why)
    {
        if (wrong)
            given.AddError($"{given.Option.Name} {why}");
    }
}
