using System.Diagnostics;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Narad.Kafka;

namespace QuickStart.Verification;

/// <summary>
/// The other demos on this one's embedded broker, which ends with this process: whether they still need it. A real Kafka outlives its clients, and no
/// program of its own needs this. Not thread-safe: the watching loop only.
/// </summary>
internal sealed class OtherRuns : IDisposable
{
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(5);

    private readonly EmbeddedBroker _broker;
    private readonly string _topic;
    private readonly TimeSpan _quiet;
    private readonly IAdminClient _client;
    private (long KeptAlive, long Committed, int Mine) _latest;
    private long _changed;
    private bool _sentHere;
    private bool _joined;

    /// <param name="broker">This process's.</param>
    /// <param name="topic">The topic that all of them use.</param>
    /// <param name="quiet">How long nothing may change before those that stay silent are not waited for any more.</param>
    public OtherRuns(EmbeddedBroker broker, string topic, TimeSpan quiet)
    {
        _broker = broker;
        _topic = topic;
        _quiet = quiet;
        _client = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = broker.BootstrapServers }).SetLogHandler((_, _) => { }).Build();
    }

    /// <summary>Whether they need the broker no more: the group has committed all that the topic holds, and they left it or nothing changes any more.</summary>
    /// <param name="acknowledged">How many of the topic's messages this run sent.</param>
    /// <param name="mine">How many of its partitions this process has.</param>
    /// <param name="committed">Where the group stands, by partition.</param>
    /// <param name="cancellationToken">Stops the asking.</param>
    public async Task<bool> AreDoneAsync(long acknowledged, int mine, IReadOnlyDictionary<int, long> committed, CancellationToken cancellationToken)
    {
        if (!_broker.Topics.TryGetValue(_topic, out var partitions))
        {
            return true; // nobody ever used it
        }

        var ends = await EndsAsync(partitions, cancellationToken);
        var held = ends?.Values.Sum() ?? _latest.KeptAlive;
        var open = ends?.Sum(end => Math.Max(0, end.Value - committed.GetValueOrDefault(end.Key))) ?? 0;
        _sentHere |= held > acknowledged;
        _joined |= mine < partitions;

        var now = (held, committed.Values.Sum(), mine);
        if (now != _latest || open > 0)
        {
            _latest = now;
            _changed = Stopwatch.GetTimestamp();
        }

        return open == 0 && (IsAlone(mine, partitions) || Stopwatch.GetElapsedTime(_changed) >= _quiet);
    }

    public void Dispose() => _client.Dispose();

    // Never anybody here, or all who had joined the group have left it: each does so only when it has seen its own end.
    private bool IsAlone(int mine, int partitions) => mine == partitions && (_joined || !_sentHere);

    // Null where the broker did not say: then only the quiet counts.
    private async Task<Dictionary<int, long>?> EndsAsync(int partitions, CancellationToken cancellationToken)
    {
        try
        {
            var wanted = Enumerable.Range(0, partitions)
                .Select(partition => new TopicPartitionOffsetSpec { TopicPartition = new TopicPartition(_topic, partition), OffsetSpec = OffsetSpec.Latest() });
            var ends = await _client.ListOffsetsAsync(wanted, new ListOffsetsOptions { RequestTimeout = AnswerTimeout }).WaitAsync(cancellationToken);
            return ends.ResultInfos.ToDictionary(end => end.TopicPartitionOffsetError.Partition.Value, end => end.TopicPartitionOffsetError.Offset.Value);
        }
        catch (KafkaException)
        {
            return null;
        }
    }
}
