using Confluent.Kafka;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Serialization;
using Narad.Kafka.Transports;
namespace Narad.Kafka.Producing;
internal sealed class MessageProducer : IAsyncDisposable
{
    private readonly ITransport _t; private readonly KafkaOptions _o; private IProducer<byte[], byte[]>? _p;
    public MessageProducer(ITransport transport, KafkaOptions options, KafkaDiagnostics diagnostics, IServiceProvider? services) { _t = transport; _o = options; _ = diagnostics; _ = services; }
    public Task ConnectAsync(CancellationToken ct) { _p = new ProducerBuilder<byte[], byte[]>(_t.Clients.Producer()).Build(); return Task.CompletedTask; }
    public async ValueTask<SendResult> SendAsync<T>(string topic, T message, MessageKey key, SendOptions? options, CancellationToken ct)
    {
        if (_t.Mode == KafkaMode.Embedded) { await _t.Topics.EnsureAsync([new TopicSpec(topic)], ct); }
        var e = new MessageEncoder(_o); e.TryEncode(message, out var value);
        var r = await _p!.ProduceAsync(options?.Partition is { } p ? new TopicPartition(topic, p) : new TopicPartition(topic, Partition.Any), new Message<byte[], byte[]> { Key = key.ToBytes()!, Value = value! }, ct);
        return new(r.Topic, r.Partition.Value, r.Offset.Value);
    }
    public async ValueTask<SendResult> SendTombstoneAsync(string topic, MessageKey key, SendOptions? options, CancellationToken ct)
    {
        var r = await _p!.ProduceAsync(topic, new Message<byte[], byte[]> { Key = key.ToBytes()!, Value = null! }, ct);
        return new(r.Topic, r.Partition.Value, r.Offset.Value);
    }
    public async Task<IReadOnlyList<SendResult>> SendManyAsync<T>(string topic, IEnumerable<T> messages, Func<T, MessageKey>? key, SendOptions? options, CancellationToken ct) =>
        await Task.WhenAll(messages.Select(m => SendAsync(topic, m, key?.Invoke(m) ?? default, options, ct).AsTask()).ToList());
    public Task<SendCounts> StopAsync(TimeSpan timeout) { _p?.Flush(timeout); _p?.Dispose(); return Task.FromResult(new SendCounts(0, 0, 0, [])); }
    public ProducerHealth Health => new(ProducerState.Running, "");
    public long InFlight => 0;
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
