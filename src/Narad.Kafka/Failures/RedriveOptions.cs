namespace Narad.Kafka;

/// <summary>Which dead letters are sent again, to whom, and how quickly.</summary>
public sealed record RedriveOptions
{
    /// <summary>Who gets them. Default <see cref="RedriveTarget.Group"/>.</summary>
    public RedriveTarget Target { get; init; }

    /// <summary>Which; null for all.</summary>
    public DeadLetterFilter? Filter { get; init; }

    /// <summary>
    /// The retry topic of the group; null for the one that a subscription of this service names for that group and topic, or else <c>{topic}-retry</c> of the
    /// topic that each came from.
    /// </summary>
    public string? RetryTopic { get; init; }

    /// <summary>
    /// Topics that dead letters may go back to besides the source of this dead-letter topic. A dead letter names its source in a header, which whoever may
    /// write to the dead-letter topic can forge: one that names any other topic is passed over. The source is the topic whose name with <c>-dlt</c> is
    /// this one's, and each topic whose subscription in this service sends its dead letters here. Default: none.
    /// </summary>
    public IReadOnlyList<string> SourceTopics { get; init; } = [];

    /// <summary>
    /// Whether groups that handle messages once (<see cref="SubscriptionOptions.Once"/>) handle these again, once, although they have handled them before.
    /// Default false: such a group skips what it has
    /// handled, and logs that. It matters where a message was handled after all, such as a dead letter that is redriven for the second time.
    /// </summary>
    public bool HandleAgain { get; init; }

    /// <summary>The most that are sent in a second; null for no limit.</summary>
    public double? MaxPerSecond { get; init; }

    /// <summary>How many are sent before the progress is committed: the most that a crash sends twice. 1 to 10,000; default 100.</summary>
    public int BatchSize { get; init; } = 100;

    /// <summary>Only counts: sends nothing, commits nothing, creates nothing.</summary>
    public bool DryRun { get; init; }

    /// <summary>
    /// Under which name its progress is kept, as the committed offsets of group <c>{topic}-redrive-{name}</c>. Default: one that follows from
    /// <see cref="Target"/>, <see cref="RetryTopic"/> and <see cref="Filter"/>, so that the same redrive continues where it stood and another one begins
    /// at the beginning. Must be given where the filter has a delegate. The cluster forgets the offsets of a group without members after a while
    /// (<c>offsets.retention.minutes</c>, 7 days by default), and the redrive then begins at the beginning: delete what was redriven
    /// (<see cref="RedriveReport.Positions"/>) before that.
    /// </summary>
    public string? Name { get; init; }

    /// <summary>Forgets the progress and begins with the first dead letter.</summary>
    public bool FromStart { get; init; }
}
