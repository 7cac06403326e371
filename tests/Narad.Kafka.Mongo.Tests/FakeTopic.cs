using System.Collections.Concurrent;

namespace Narad.Kafka.Mongo.Tests;

/// <summary>Takes what relays send, in the order in which it was acknowledged, and checks the order of keys. Thread-safe.</summary>
internal sealed class FakeTopic
{
    private readonly Lock _lock = new();
    private readonly List<OutboxMessage> _written = [];
    private readonly Dictionary<long, int> _onTheWay = [];

    /// <summary>Called before a message is written; may throw, and so refuse it, or wait.</summary>
    public Func<OutboxMessage, Task> Sending { get; set; } = static _ => Task.CompletedTask;

    /// <summary>Whether two messages of one key were on their way at once.</summary>
    public bool HasOverlapped { get; private set; }

    /// <summary>How many messages were on their way at once, at most.</summary>
    public int MostAtOnce { get; private set; }

    public IReadOnlyList<OutboxMessage> Written
    {
        get
        {
            lock (_lock)
            {
                return [.. _written];
            }
        }
    }

    public async ValueTask<SendResult> SendAsync(OutboxMessage message)
    {
        lock (_lock)
        {
            var others = _onTheWay.GetValueOrDefault(message.KeyHash);
            HasOverlapped |= others > 0;
            _onTheWay[message.KeyHash] = others + 1;
            MostAtOnce = Math.Max(MostAtOnce, _onTheWay.Values.Sum());
        }

        try
        {
            await Task.Yield();
            await Sending(message);
            lock (_lock)
            {
                _written.Add(message);
                return new SendResult(message.Topic, 0, _written.Count - 1);
            }
        }
        finally
        {
            lock (_lock)
            {
                _onTheWay[message.KeyHash]--;
            }
        }
    }

    /// <summary>What an inbox on the other side makes of it: each message once, at its first occurrence.</summary>
    public static IEnumerable<OutboxMessage> Once(IEnumerable<OutboxMessage> written) => written.DistinctBy(static message => message.Id);

    /// <summary>All were written, and for each key, duplicates apart, in the order of enqueuing.</summary>
    public void ShouldHold(IReadOnlyList<OutboxMessage> enqueued)
    {
        var once = Once(Written).ToList();
        once.Select(static message => message.Id).Should().BeEquivalentTo(enqueued.Select(static message => message.Id));
        foreach (var key in enqueued.GroupBy(static message => message.KeyHash))
        {
            once.Where(message => message.KeyHash == key.Key).Select(static message => message.Id).Should()
                .Equal(key.Select(static message => message.Id), "the order of a key is that of its enqueuing");
        }
    }

    public static KafkaSendException Refusal(OutboxMessage message, string reason = "MsgSizeTooLarge", bool retriable = false) => new(
        $"refused: {reason}", message.Topic, MessageKey.From(message.Key), reason, retriable, mayHaveBeenWritten: false);
}
