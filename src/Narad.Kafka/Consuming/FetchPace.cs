using Confluent.Kafka;
using Narad.Kafka.Clients.Interop;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Consuming;

/// <summary>
/// Keeps a consumer of the embedded broker at the pace that fits the number of consumers and topics there are now, not when it was built: the first of
/// many would ask as often as if it were alone. One that gets no messages asks a fifth as often. Poll thread only.
/// </summary>
/// <param name="wait">How long a fetch waits for messages; null: as its settings say, always.</param>
/// <param name="time">When to look again.</param>
internal sealed class FetchPace(Func<TimeSpan>? wait, TimeProvider time)
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestPoll = TimeSpan.FromMilliseconds(250);
    private const int IdleFactor = 5;

    private IClient? _client;
    private long _looked;
    private bool _wasIdle;

    /// <summary>How long a fetch waits at present; zero where its settings say it.</summary>
    public TimeSpan Wait { get; private set; }

    /// <summary>How long an idle consumer may wait for a message at a time: longer where it asks rarely.</summary>
    public TimeSpan PollFor(TimeSpan usual) => Wait <= usual ? usual : Wait < LongestPoll ? Wait : LongestPoll;

    /// <summary>Looks once a second, and at once for a client that was built and where messages come again.</summary>
    /// <param name="client">The consumer.</param>
    /// <param name="isIdle">Whether no message came for a while.</param>
    public void Turn(IClient client, bool isIdle)
    {
        if (wait is null || (ReferenceEquals(client, _client) && isIdle == _wasIdle && time.GetElapsedTime(_looked) < Interval))
        {
            return;
        }

        (_looked, _wasIdle) = (time.GetTimestamp(), isIdle);
        var fitting = wait();
        if (isIdle && fitting < EmbeddedFetches.LongestWait)
        {
            fitting = fitting * IdleFactor < EmbeddedFetches.LongestWait ? fitting * IdleFactor : EmbeddedFetches.LongestWait;
        }

        if ((fitting != Wait || !ReferenceEquals(client, _client)) && LibrdkafkaFetchWait.TrySet(client.Handle, fitting))
        {
            Wait = fitting;
        }

        _client = client;
    }
}
