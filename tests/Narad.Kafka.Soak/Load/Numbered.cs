using System.Globalization;

namespace Narad.Kafka.Soak.Load;

/// <summary>The text of a message: its run, its key and its number within the key (and filling, where its size matters).</summary>
internal static class Numbered
{
    public static string Text(string run, int key, int sequence, int filling = 0) =>
        string.Create(CultureInfo.InvariantCulture, $"{run}|{key}|{sequence}|") + (filling > 0 ? new string('x', filling) : "");

    /// <summary>Of text as it is, or with something before and behind it, as in JSON.</summary>
    public static (int Key, int Sequence) Parse(string text)
    {
        var parts = text.Split('|', 4);
        return (int.Parse(parts[1], CultureInfo.InvariantCulture), int.Parse(parts[2], CultureInfo.InvariantCulture));
    }
}
