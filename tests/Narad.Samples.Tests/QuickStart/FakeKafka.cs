using System.Collections.Concurrent;
using Narad.Kafka;

namespace Narad.Samples.Tests.QuickStart;

/// <summary>
/// A service of six partitions in memory, handled and committed at once, with the faults that the demo's recorder must notice. Thread-safe.
/// </summary>
internal sealed class FakeKafka(KafkaMode mode = KafkaMode.Embedded) : IKafkaService, IKafkaTopics, ISubscription
{
    private const int Partitions = 6;

    private readonly Lock _lock = new();
    private readonly long[] _ends = new long[Partitions];
    private readonly long[] _committed = new long[Partitions];
    private readonly BlockingCollection<(byte[] Message, MessageContext Context, long Line)> _deliveries = [];
    private readonly CancellationTokenSource _closing = new();
    private readonly TaskCompletionSource _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Func<byte[], MessageContext, CancellationToken, Task> _handler = (_, _, _) => Task.CompletedTask;
    private Task _delivering = Task.CompletedTask;

    public List<(string Topic, byte[] Value, MessageKey Key, MessageHeaders Headers)> Written { get; } = [];

    /// <summary>Lines that are committed past without ever reaching the handler.</summary>
    public Func<long, bool> Swallow { get; set; } = _ => false;

    /// <summary>Lines that reach the handler a second time.</summary>
    public Func<long, bool> Repeat { get; set; } = _ => false;

    /// <summary>Lines that the next message overtakes.</summary>
    public Func<long, bool> Overtaken { get; set; } = _ => false;

    /// <summary>Lines that the broker refuses.</summary>
    public Func<long, bool> Refuse { get; set; } = _ => false;

    /// <summary>Partitions that another member of the group has: committed past, not handled here.</summary>
    public Func<int, bool> Elsewhere { get; set; } = _ => false;

    /// <summary>Lines at which the group stands still.</summary>
    public Func<long, bool> Stuck { get; set; } = _ => false;

    public Exception? ConnectFault { get; init; }

    public KafkaOptions Options { get; private set; } = new();

    public KafkaMode Mode => mode;

    public bool IsConnected { get; set; } = true;

    public Task Completion => _completion.Task;

    public IKafkaTopics Topics => this;

    public IDeadLetters DeadLetters => throw new NotSupportedException();

    public IReadOnlyList<ISubscription> Subscriptions => [this];

    public string Topic { get; private set; } = "";

    public string Group { get; private set; } = "";

    public SubscriptionState State => SubscriptionState.Running;

    public Exception? Error => null;

    public bool Disconnected { get; private set; }

    public IReadOnlyList<TopicPartitionId> Assignment =>
        [.. Enumerable.Range(0, Partitions).Where(partition => !Elsewhere(partition)).Select(partition => new TopicPartitionId(Topic, partition))];

    public IReadOnlyList<StoppedPartition> StoppedPartitions { get; private set; } = [];

    public IKafkaService Init() => this;

    public Task ConnectProducerAsync(CancellationToken cancellationToken = default) =>
        ConnectFault is null ? Task.CompletedTask : Task.FromException(ConnectFault);

    public Task ConnectConsumerAsync(string? group = null, CancellationToken cancellationToken = default)
    {
        Group = group!;
        return Task.CompletedTask;
    }

    public Task<ISubscription> SubscribeAsync<T>(Func<T, MessageContext, CancellationToken, Task> handler, string? group = null,
        Action<SubscriptionOptions>? configure = null, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public Task<ISubscription> SubscribeBatchAsync<T>(Func<MessageBatch<T>, CancellationToken, Task> handler, string? group = null,
        Action<SubscriptionOptions>? configure = null, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public Task<ISubscription> SubscribeByTypeAsync(string topic, Action<MessageTypeMap> types, string? group = null,
        Action<SubscriptionOptions>? configure = null, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public ValueTask<SendResult> SendAsync<T>(
        T message, MessageKey key = default, SendOptions? options = null, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public Task<IReadOnlyList<SendResult>> SendManyAsync<T>(
        IEnumerable<T> messages, SendOptions? options = null, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public ValueTask<SendResult> SendTombstoneAsync<T>(MessageKey key, SendOptions? options = null, CancellationToken cancellationToken = default) =>
        throw new NotSupportedException();

    public Task<ISubscription> SubscribeAsync<T>(string topic, Func<T, MessageContext, CancellationToken, Task> handler, string? group = null,
        Action<SubscriptionOptions>? configure = null, CancellationToken cancellationToken = default)
    {
        Topic = topic;
        _handler = (message, context, token) => handler((T)(object)message, context, token);
        if (mode != KafkaMode.Console)
        {
            _delivering = Task.Run(DeliverAsync, CancellationToken.None);
        }

        return Task.FromResult<ISubscription>(this);
    }

    public ValueTask<SendResult> SendAsync(
        string topic, byte[] message, MessageKey key = default, SendOptions? options = null, CancellationToken cancellationToken = default)
    {
        var line = long.Parse(options!.Headers!.GetText("line")!);
        lock (_lock)
        {
            Written.Add((topic, message, key, options.Headers));
        }

        if (Refuse(line))
        {
            return ValueTask.FromException<SendResult>(
                new KafkaSendException($"refused line {line}", topic, key, "MsgSizeTooLarge", retriable: false, mayHaveBeenWritten: false));
        }

        if (mode == KafkaMode.Console)
        {
            return ValueTask.FromResult(new SendResult(topic, -1, -1));
        }

        return ValueTask.FromResult(Put(message, key, options.Headers, line));
    }

    public IKafkaService With(KafkaOptions options)
    {
        Options = options;
        return this;
    }

    /// <summary>A message of somebody else.</summary>
    public void PutForeign(string run, long line) =>
        Put([1], "somebody", new MessageHeaders().Add("run", run).Add("line", line.ToString(System.Globalization.CultureInfo.InvariantCulture)), line: 0);

    public Task<IReadOnlyDictionary<TopicPartitionId, long>> GetCommittedOffsetsAsync(string group, string topic, CancellationToken cancellationToken = default)
    {
        lock (_lock)
        {
            return Task.FromResult<IReadOnlyDictionary<TopicPartitionId, long>>(
                Enumerable.Range(0, Partitions).Where(partition => _committed[partition] > 0)
                    .ToDictionary(partition => new TopicPartitionId(topic, partition), partition => _committed[partition]));
        }
    }

    public async Task<DisconnectReport> DisconnectAsync(CancellationToken cancellationToken = default)
    {
        Disconnected = true;
        await _closing.CancelAsync();
        await _delivering;
        return new DisconnectReport(Written.Count, 0, 0, []);
    }

    public async ValueTask DisposeAsync() => await DisconnectAsync();

    public ValueTask<SendResult> SendAsync<T>(string topic, T message, MessageKey key = default, SendOptions? options = null,
        CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public ValueTask<SendResult> SendAsync(string topic, string message, MessageKey key = default, SendOptions? options = null,
        CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public ValueTask<SendResult> SendAsync<T>(string topic, IEnumerable<T> message, MessageKey key = default, SendOptions? options = null,
        CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public ValueTask<SendResult> SendTombstoneAsync(string topic, MessageKey key, SendOptions? options = null, CancellationToken cancellationToken = default) =>
        throw new NotSupportedException();

    public Task<IReadOnlyList<SendResult>> SendManyAsync<T>(string topic, IEnumerable<T> messages, Func<T, MessageKey>? key = null, SendOptions? options = null,
        CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public Task<ISubscription> SubscribeBatchAsync<T>(string topic, Func<MessageBatch<T>, CancellationToken, Task> handler, string? group = null,
        Action<SubscriptionOptions>? configure = null, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public Task<IBroadcastSubscription> SubscribeBroadcastAsync<T>(string topic, Func<T, MessageContext, CancellationToken, Task> handler,
        Action<SubscriptionOptions>? configure = null, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public Task CreateIfNotExistsAsync(IEnumerable<TopicSpec> topics, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public Task<IReadOnlyDictionary<string, int>> GetPartitionCountsAsync(IEnumerable<string> topics, CancellationToken cancellationToken = default) =>
        throw new NotSupportedException();

    public Task<TopicDetails?> GetDetailsAsync(string topic, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public Task SetRetentionAsync(string topic, TimeSpan? retention, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public Task<IReadOnlyList<string>> DeleteAsync(IEnumerable<string> topics, CancellationToken cancellationToken = default) =>
        throw new NotSupportedException();

    public Task<bool> ResumeAsync(TopicPartitionId partition, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public Task<bool> SkipFailedMessageAsync(TopicPartitionId partition, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public CircuitState CircuitState => CircuitState.Closed;

    public IReadOnlyList<TopicPartitionId> PausedPartitions => [];

    public Task PauseAllAsync(CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public Task<bool> PauseAsync(TopicPartitionId partition, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public Task ResumeAllAsync(CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public Task<bool> SeekAsync(TopicPartitionId partition, long offset, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public Task<IReadOnlyDictionary<TopicPartitionId, long>> SeekAsync(DateTimeOffset time, CancellationToken cancellationToken = default) =>
        throw new NotSupportedException();

    public Task<IReadOnlyDictionary<TopicPartitionId, long>> SeekToBeginningAsync(CancellationToken cancellationToken = default) =>
        throw new NotSupportedException();

    public Task StopAsync(CancellationToken cancellationToken = default) => throw new NotSupportedException();

    private SendResult Put(byte[] message, MessageKey key, MessageHeaders headers, long line)
    {
        lock (_lock)
        {
            var partition = key.IsNone ? 0 : (key.GetHashCode() & int.MaxValue) % Partitions;
            var context = new MessageContext
            {
                Topic = Topic, Partition = partition, Offset = _ends[partition]++, Key = key.ToBytes(), Headers = headers, Group = Group,
            };
            _deliveries.Add((message, context, line));
            return new SendResult(Topic, partition, context.Offset);
        }
    }

    private async Task DeliverAsync()
    {
        try
        {
            (byte[], MessageContext, long)? overtaken = null;
            foreach (var delivery in _deliveries.GetConsumingEnumerable(_closing.Token))
            {
                if (Overtaken(delivery.Line))
                {
                    overtaken = delivery;
                    continue;
                }

                await DeliverAsync(delivery);
                if (overtaken is { } late)
                {
                    await DeliverAsync(late);
                    overtaken = null;
                }
            }
        }
        catch (OperationCanceledException) when (_closing.IsCancellationRequested)
        {
            // Disconnected.
        }
    }

    private async Task DeliverAsync((byte[] Message, MessageContext Context, long Line) delivery)
    {
        var (message, context, line) = delivery;
        if (Stuck(line))
        {
            await Task.Delay(Timeout.Infinite, _closing.Token);
        }

        try
        {
            for (var times = Swallow(line) || Elsewhere(context.Partition) ? 0 : Repeat(line) ? 2 : 1; times > 0; times--)
            {
                await _handler(message, context, _closing.Token);
            }
        }
        catch (Exception fault) when (fault is not OperationCanceledException)
        {
            StoppedPartitions = [new StoppedPartition(new TopicPartitionId(Topic, context.Partition), context.Offset, fault)];
            await Task.Delay(Timeout.Infinite, _closing.Token);
        }

        lock (_lock)
        {
            _committed[context.Partition] = Math.Max(_committed[context.Partition], context.Offset + 1);
        }
    }
}
