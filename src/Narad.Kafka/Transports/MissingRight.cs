using Confluent.Kafka;
using Narad.Kafka.Configuration;

namespace Narad.Kafka.Transports;

/// <summary>
/// Which right a refusal is about, in the words of Kafka's access control lists; beside <see cref="ConnectionFaults"/>, for users that are known.
/// </summary>
internal static class MissingRight
{
    private static readonly string User = $"the user of {SettingNames.Of("Sasl:Username")}";

    /// <summary>A send was refused; null where it was for something else.</summary>
    public static string? ToSend(ErrorCode code, string topic) => code switch
    {
        ErrorCode.TopicAuthorizationFailed =>
            $"{User} lacks the right Write on topic '{topic}' (and Describe, which Write includes): give it that one",
        ErrorCode.ClusterAuthorizationFailed =>
            $"{User} may write to no topic: give it the right Write on topic '{topic}', or IdempotentWrite on the cluster where its brokers are older than 2.8",
        ErrorCode.TransactionalIdAuthorizationFailed =>
            $"{User} lacks the right Write on its transactional id: give it that one, for the prefix of the ids",
        ErrorCode.GroupAuthorizationFailed =>
            $"{User} lacks the right Read on the group whose offsets the transaction commits: give it that one",
        _ => null,
    };

    /// <summary>A group was refused when it subscribed.</summary>
    public static string ToRead(ErrorCode code, string group, IReadOnlyList<string> topics, string reason) =>
        $"{Refused(code, group, topics, reason)}. Give it that one, and subscribe again. The client says: {reason} ({code}).";

    /// <summary>A group was refused that had been reading: it continues by itself.</summary>
    public static string WhileReading(ErrorCode code, string group, IReadOnlyList<string> topics, string reason) =>
        $"{Refused(code, group, topics, reason)}. Give it that one: the group continues by itself then. The client says: {reason} ({code}).";

    private static string Refused(ErrorCode code, string group, IReadOnlyList<string> topics, string reason)
    {
        var named = topics.Where(topic => topics.Count == 1 || reason.Contains(topic, StringComparison.Ordinal)).DefaultIfEmpty(string.Join(", ", topics));
        var what = code is ErrorCode.GroupAuthorizationFailed
            ? $"Read on group '{group}'"
            : $"Read on topic {string.Join(" or ", named.Select(topic => $"'{topic}'"))}";
        return $"Group '{group}' may not read: {User} lacks the right {what}";
    }

    /// <summary>The cluster says that a group's user may not read a topic.</summary>
    public static string ToRead(string group, string topic) =>
        $"Group '{group}' may not read: {User} lacks the right Read on topic '{topic}'. Give it that one, and subscribe again.";

    /// <summary>Looking at a topic was refused.</summary>
    public static string ToLookAt(string topic) =>
        $"{User} lacks the right Describe on topic '{topic}', which Read and Write include: give it the one that it needs";
}
