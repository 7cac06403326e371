using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Producing;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Tests.Producing;

/// <summary>A producer that is connected to the embedded broker, to real Kafka where the environment names one, or to a scripted client.</summary>
internal sealed class Sending : IAsyncDisposable
{
    public static readonly TimeSpan Timeout = Waiting.Deadline;

    private readonly ITransport _transport;

    private Sending(ITransport transport, MessageProducer producer)
    {
        _transport = transport;
        Producer = producer;
    }

    public MessageProducer Producer { get; }

    public ITransport Transport => _transport;

    public static string? RealKafka => Environment.GetEnvironmentVariable("NARAD_TEST_KAFKA");

    public static string NewTopic() => $"sending-{Guid.NewGuid():N}";

    /// <summary>On the transport of the options' mode.</summary>
    public static async Task<Sending> ConnectAsync(KafkaOptions options, ILoggerFactory? loggers = null)
    {
        var diagnostics = new KafkaDiagnostics(loggers);
        var transport = Kafka.Transports.Transport.For(options.Mode, options, diagnostics);
        var sending = new Sending(transport, new MessageProducer(transport, options, diagnostics));
        await sending.Producer.ConnectAsync(default);
        return sending;
    }

    /// <summary>On the embedded broker or on real Kafka; skips the test where there is none.</summary>
    public static Task<Sending> ConnectAsync(string where, Action<KafkaOptions>? configure = null, ILoggerFactory? loggers = null)
        => ConnectAsync(OptionsOf(where, configure), loggers);

    /// <summary>As <see cref="ConnectAsync(string, Action{KafkaOptions}?, ILoggerFactory?)"/>, through Confluent.Kafka's own methods.</summary>
    public static async Task<Sending> ConnectIndirectlyAsync(string where, Action<KafkaOptions>? configure = null)
    {
        var (options, diagnostics) = (OptionsOf(where, configure), new KafkaDiagnostics());
        var transport = Kafka.Transports.Transport.For(options.Mode, options, diagnostics);
        var sending = new Sending(transport, new MessageProducer(
            transport,
            options,
            diagnostics,
            generation => new KafkaProducerClient(transport.Clients.Producer(), diagnostics, generation.Fail, options.MaxMessageBytes, direct: false)));
        await sending.Producer.ConnectAsync(default);
        return sending;
    }

    /// <summary>On a client that the test scripts.</summary>
    public static async Task<Sending> ConnectAsync(ScriptedClients clients, Action<KafkaOptions>? configure = null, TimeProvider? time = null,
        ITransport? transport = null, ILoggerFactory? loggers = null)
    {
        var options = new KafkaOptions { Mode = KafkaMode.Kafka };
        configure?.Invoke(options);
        var diagnostics = new KafkaDiagnostics(loggers, time: time);
        transport ??= new ConsoleTransport(options, diagnostics);
        var sending = new Sending(transport, new MessageProducer(transport, options, diagnostics, clients.Build));
        await sending.Producer.ConnectAsync(default);
        return sending;
    }

    /// <summary>On a client that the test brings.</summary>
    public static async Task<Sending> ConnectAsync(
        Func<ProducerGeneration, IProducerClient> build, Action<KafkaOptions>? configure = null, ILoggerFactory? loggers = null)
    {
        var options = new KafkaOptions { Mode = KafkaMode.Kafka };
        configure?.Invoke(options);
        var diagnostics = new KafkaDiagnostics(loggers);
        var transport = new ConsoleTransport(options, diagnostics);
        var sending = new Sending(transport, new MessageProducer(transport, options, diagnostics, build));
        await sending.Producer.ConnectAsync(default);
        return sending;
    }

    public ValueTask<SendResult> SendAsync<T>(string topic, T message, MessageKey key = default, SendOptions? options = null, CancellationToken ct = default)
        => Producer.SendAsync(topic, message, key, options, ct);

    /// <summary>Everything that a topic holds, per partition in offset order.</summary>
    public List<ConsumeResult<byte[]?, byte[]?>> ReadAll(string topic, int expected)
    {
        var config = new ConsumerConfig(
            new Dictionary<string, string> { ["bootstrap.servers"] = _transport.BootstrapServers, ["group.id"] = Guid.NewGuid().ToString("N") })
        {
            AutoOffsetReset = AutoOffsetReset.Earliest,
            EnableAutoCommit = false,
        };
        using var consumer = new ConsumerBuilder<byte[]?, byte[]?>(config).Build();
        consumer.Subscribe(topic);
        var found = new List<ConsumeResult<byte[]?, byte[]?>>();
        var until = DateTime.UtcNow + Timeout;
        while (found.Count < expected && DateTime.UtcNow < until)
        {
            if (consumer.Consume(TimeSpan.FromMilliseconds(100)) is { } result)
            {
                found.Add(result);
            }
        }

        // What should not be there would come now.
        while (consumer.Consume(TimeSpan.FromMilliseconds(300)) is { } more)
        {
            found.Add(more);
        }

        consumer.Close();
        return [.. found.OrderBy(result => result.Partition.Value).ThenBy(result => result.Offset.Value)];
    }

    public async ValueTask DisposeAsync()
    {
        await Producer.StopAsync(TimeSpan.FromSeconds(5));
        await _transport.DisposeAsync();
    }

    /// <summary>Waits for a condition, with a deadline.</summary>
    public static async Task Until(Func<bool> condition, string what)
    {
        var until = DateTime.UtcNow + Timeout;
        while (!condition())
        {
            if (DateTime.UtcNow > until)
            {
                throw new TimeoutException($"Waited {Timeout} in vain for: {what}");
            }

            await Task.Delay(5);
        }
    }

    private static KafkaOptions OptionsOf(string where, Action<KafkaOptions>? configure)
    {
        var options = new KafkaOptions { Mode = KafkaMode.Embedded };
        if (where == "Kafka")
        {
            Skip.If(RealKafka is null, "NARAD_TEST_KAFKA names no broker.");
            options = new KafkaOptions { Mode = KafkaMode.Kafka, Brokers = RealKafka!, TopicCreation = TopicCreation.IfMissing };
        }

        configure?.Invoke(options);
        return options;
    }
}
