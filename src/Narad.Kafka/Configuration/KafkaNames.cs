namespace Narad.Kafka.Configuration;

/// <summary>What Kafka allows as names; each method returns what is wrong, or null.</summary>
internal static class KafkaNames
{
    private const int MaxTopicLength = 249;
    private const int MaxGroupLength = 32_767;

    public static string? TopicFault(string? name)
    {
        if (string.IsNullOrEmpty(name))
        {
            return "a topic's name must not be empty";
        }

        if (name is "." or "..")
        {
            return "a topic's name must not be . or ..";
        }

        if (name.Length > MaxTopicLength)
        {
            return $"a topic's name has at most {MaxTopicLength} characters";
        }

        return name.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-')
            ? null
            : "a topic's name has only the letters a to z and A to Z, digits, '.', '_' and '-'";
    }

    public static string? GroupFault(string? name)
    {
        if (string.IsNullOrWhiteSpace(name))
        {
            return "a group's id must not be empty";
        }

        if (name.Length > MaxGroupLength)
        {
            return $"a group's id has at most {MaxGroupLength} characters";
        }

        if (name.Any(char.IsControl))
        {
            return "a group's id must not have control characters";
        }

        return char.IsWhiteSpace(name[0]) || char.IsWhiteSpace(name[^1]) ? "a group's id must not begin or end with a space" : null;
    }
}
