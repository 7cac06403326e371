using System.Globalization;

namespace Narad.Kafka.Configuration;

/// <summary>
/// Settings from text. What cannot be read changes nothing and is noted in the options as an error, to be reported with all others at start.
/// </summary>
internal static class SettingParser
{
    private static readonly string[] Booleans = ["true", "false", "yes", "no", "on", "off", "0", "1"];

    public static void Boolean(IBindingTarget options, string setting, string value, Action<bool> set)
    {
        if (bool.TryParse(value, out var parsed))
        {
            set(parsed);
        }
        else
        {
            Error(options, setting, value, MayBeShown.AsOneOf(value, Booleans), "write true or false");
        }
    }

    // By name only: a number would be accepted, and would mean whatever the order of the names is.
    public static void Enum<T>(IBindingTarget options, string setting, string value, Action<T> set)
        where T : struct, Enum
    {
        var name = Array.Find(System.Enum.GetNames<T>(), name => string.Equals(name, value.Trim(), StringComparison.OrdinalIgnoreCase));
        if (name is null)
        {
            Error(options, setting, value, MayBeShown.AsOneOf(value, System.Enum.GetNames<T>())
                || MayBeShown.AsNumber(value), $"write one of {string.Join(", ", System.Enum.GetNames<T>())}");
        }
        else
        {
            set(System.Enum.Parse<T>(name));
        }
    }

    public static void Number<T>(IBindingTarget options, string setting, string value, Action<T> set)
        where T : struct, ISpanParsable<T>
    {
        if (T.TryParse(value, CultureInfo.InvariantCulture, out var parsed))
        {
            set(parsed);
        }
        else
        {
            Error(options, setting, value, MayBeShown.AsNumber(value), typeof(T) == typeof(double) ? "write a number, such as 0.5" : "write a whole number");
        }
    }

    // .NET reads a bare number as days, which nobody means here.
    public static void Time(IBindingTarget options, string setting, string value, Action<TimeSpan> set)
    {
        if (value.Contains(':', StringComparison.Ordinal) && TimeSpan.TryParse(value, CultureInfo.InvariantCulture, out var parsed))
        {
            set(parsed);
        }
        else
        {
            Error(options, setting, value, MayBeShown.AsNumber(value),
                "write a time as hours:minutes:seconds, such as 00:00:05 for five seconds or 00:00:00.2 for 200 ms");
        }
    }

    public static string Write(bool value) => value ? "true" : "false";

    private static void Error(IBindingTarget options, string setting, string value, bool shown, string instead) =>
        options.BindingErrors.Add(shown ? $"{setting} = {value}: {instead}."
            : $"{setting} has a value that cannot be read, which is not shown since it may be a secret: {instead}.");
}
