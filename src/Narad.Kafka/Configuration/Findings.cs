using System.Globalization;

namespace Narad.Kafka.Configuration;

/// <summary>Collects errors and warnings while a configuration is checked. Not thread-safe. Whoever adds to it gives no secret as a value.</summary>
internal sealed class Findings
{
    public List<string> Errors { get; } = [];

    public List<string> Warnings { get; } = [];

    /// <summary>Notes an error: setting, value, and what to write instead.</summary>
    public void Error(string setting, object? value, string instead) => Errors.Add(Sentence(setting, value, instead));

    /// <summary>Notes an error of a setting whose value is not to be shown.</summary>
    public void ErrorUnshown(string setting, string instead) => Errors.Add($"{SettingNames.Of(setting)}: {instead}.");

    /// <summary>Notes an error of a setting whose value is shown where it cannot be a secret that was written into the wrong setting.</summary>
    public void ErrorShownIf(bool shown, string setting, object? value, string instead)
    {
        if (shown)
        {
            Error(setting, value, instead);
        }
        else
        {
            ErrorUnshown(setting, instead);
        }
    }

    /// <summary>Notes a warning.</summary>
    public void Warn(string setting, object? value, string instead) => Warnings.Add(Sentence(setting, value, instead));

    private static string Sentence(string setting, object? value, string instead)
    {
        var text = value switch
        {
            null or "" => "(empty)",
            bool flag => SettingParser.Write(flag),
            IFormattable formattable => formattable.ToString(null, CultureInfo.InvariantCulture),
            _ => value.ToString(),
        };
        return $"{SettingNames.Of(setting)} = {text}: {instead}.";
    }
}
