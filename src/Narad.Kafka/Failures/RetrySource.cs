using System.Text;

namespace Narad.Kafka.Failures;

/// <summary>What a retry topic's subscription takes from it: the messages of one group, those that are due. Immutable.</summary>
/// <param name="source">The topic that the messages came from at first.</param>
/// <param name="group">The group that they failed in.</param>
/// <param name="longest">The longest that one may wait.</param>
/// <param name="usual">The longest that one waits by the policy alone, where no handler asks for more.</param>
/// <param name="adoptsUngrouped">Whether those that name no group are taken too.</param>
internal sealed class RetrySource(string source, string group, TimeSpan longest, TimeSpan usual, bool adoptsUngrouped)
{
    // The clocks of who wrote a copy, of the broker that stamped it and of who reads it may be this far apart: then it is not early. What is further off
    // is forged.
    private static readonly TimeSpan BelievedSkew = TimeSpan.FromHours(2);

    private readonly byte[] _group = Encoding.UTF8.GetBytes(group);

    public string Source => source;

    /// <summary>
    /// The due time of a record that no member of the group wrote, which holds its key: at most the policy's longest wait from now, in milliseconds since
    /// 1970.
    /// </summary>
    public long DueOfStranger(long due, long now) => Math.Min(due, now + (long)usual.TotalMilliseconds);

    /// <summary>Whether this group handles a message.</summary>
    public RetryOwner OwnerOf(MessageHeaders? headers) => headers is null || FailureHeaders.GroupOf(headers) is not { } named
        ? adoptsUngrouped ? RetryOwner.Us : RetryOwner.Nobody
        : named.AsSpan().SequenceEqual(_group) ? RetryOwner.Us : RetryOwner.Others;

    /// <summary>
    /// When a message may be handled, in milliseconds since 1970. Where it seems to be from the future, the clock that it was written by was ahead, or
    /// <paramref name="now"/> is behind: then it waits from now on, as long as it was to wait when it was written. The broker's clock
    /// (<paramref name="isBrokerTime"/>) says nothing of the writer's, so the due time stays as it is.
    /// </summary>
    public long DueOf(MessageHeaders? headers, long written, bool isBrokerTime, DateTimeOffset now)
    {
        var today = now.ToUnixTimeMilliseconds();
        var at = Math.Clamp(written, 0, (now + BelievedSkew).ToUnixTimeMilliseconds());
        var due = FailureHeaders.DueOf(headers ?? [], DateTimeOffset.FromUnixTimeMilliseconds(at), longest + BelievedSkew).ToUnixTimeMilliseconds();
        return at > today && !isBrokerTime ? Math.Min(due, today + Math.Max(0, due - at)) : due;
    }
}
