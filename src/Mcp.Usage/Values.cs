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

    /// <summary>One of these words.</summary>
    public static void OnlyFrom(this Option option, params string[] words)
    {
        option.CompletionSources.Add(words);
        option.Validators.Add(given =>
        {
            if (given.Tokens.Select(t => t.Value).FirstOrDefault(v => !words.Contains(v)) is { } wrong)
            {
                given.AddError(
                    $"{option.Name} is {string.Join(" or ", words)}, and not '{Label.Clip(wrong)}'{Mistakes.Nearest(wrong, words)}");
            }
        });
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
                given.AddError($"{name} is a number, {allowed}, and not '{Label.Clip(text)}'");
                return unlessGiven;
            },
        };

    private static void Refuse(OptionResult given, bool wrong, string why)
    {
        if (wrong)
            given.AddError($"{given.Option.Name} {why}");
    }
}
