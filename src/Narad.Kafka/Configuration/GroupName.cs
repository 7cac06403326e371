namespace Narad.Kafka.Configuration;

/// <summary>Which group ids are legal.</summary>
internal static class GroupName
{
    private const int Longest = 32_767;
    private const int LongestShown = 100;

    /// <summary>What is wrong with a group's id; null where nothing is.</summary>
    public static string? Error(string? name)
    {
        if (string.IsNullOrWhiteSpace(name))
        {
            return "a group's id must not be empty";
        }

        if (name.Length > Longest)
        {
            return $"a group's id has at most {Longest} characters";
        }

        if (name.Any(char.IsControl))
        {
            return "a group's id must not have control characters";
        }

        return char.IsWhiteSpace(name[0]) || char.IsWhiteSpace(name[^1]) ? "a group's id must not begin or end with a space" : null;
    }

    /// <summary>Refuses a group that code names.</summary>
    /// <exception cref="ArgumentException">It is no legal id.</exception>
    public static void Validate(string? name, string parameter)
    {
        if (Error(name) is { } error)
        {
            var shown = new string([.. (name ?? "").Take(LongestShown).Select(letter => char.IsControl(letter) ? '\uFFFD' : letter)]);
            throw new ArgumentException($"'{shown}{(name?.Length > LongestShown ? "…" : "")}' cannot be a consumer group: {error}.", parameter);
        }
    }
}
