using System.Text;
using Confluent.Kafka;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Narad.Kafka.Shared;
using Narad.Kafka.Tests.Service;

namespace Narad.Kafka.Tests.Failures;

/// <summary>
/// Nothing of the application's can stop a partition unseen: each of its delegates, getters and implementations is replaced by one that throws.
/// </summary>
public sealed class HostileApplicationTests
{
    // What is wrong with each topic's subscription. A message "bad" is to end in the dead-letter topic, and "good", which has the same key, is to be handled.
    private static readonly Dictionary<string, (Exception Thrown, Action<SubscriptionOptions> Configure)> DeadLettered = new(StringComparer.Ordinal)
    {
        ["message-null"] = (new HostileException(HostileException.Fault.MessageIsNull), static _ => { }),
        ["message"] = (new HostileException(HostileException.Fault.MessageThrows), static _ => { }),
        ["stack-trace"] = (new HostileException(HostileException.Fault.StackTraceThrows), static _ => { }),
        ["to-string"] = (new HostileException(HostileException.Fault.ToStringThrows), static _ => { }),
        ["all-getters"] = (new HostileException(HostileException.Fault.AllThrow), static _ => { }),
        ["inner"] = (new AggregateException(new InvalidOperationException("outer", new HostileException(HostileException.Fault.AllThrow))), static _ => { }),
        ["decide"] = (new InvalidOperationException("bad"), static options => options.Retry.ActionSelector = static _ =>
            throw new HostileException(HostileException.Fault.AllThrow)),
        ["decide-nonsense"] = (new InvalidOperationException("bad"), static options => options.Retry.ActionSelector = static _ => (FailureAction)77),
        ["when"] = (new InvalidOperationException("bad"), static options =>
        {
            options.Retry.InMemory.MaxAttempts = 1;
            options.Retry.InMemory.ShouldHandle = static _ => throw new HostileException(HostileException.Fault.AllThrow);
        }),
        ["delay"] = (new InvalidOperationException("bad"), static options =>
        {
            options.Retry.InMemory.MaxAttempts = 1;
            options.Retry.InMemory.DelayGenerator = static _ => throw new HostileException(HostileException.Fault.AllThrow);
        }),
        ["delay-negative"] = (new InvalidOperationException("bad"), static options =>
        {
            options.Retry.InMemory.MaxAttempts = 1;
            options.Retry.InMemory.DelayGenerator = static _ => TimeSpan.MinValue;
        }),
        ["middleware"] = (new InvalidOperationException("bad"), static options => options.Middleware.Add(new ThrowingMiddleware())),
        ["deserializer"] = (new InvalidOperationException("bad"), static options => options.Deserializer = new ThrowingDeserializer()),
    };

    [Fact]
    [Trait("Promise", "S14")]
    [Trait("Promise", "S20")]
    [Long]
    public async Task What_of_the_application_throws_leaves_a_dead_letter_and_the_next_message_of_the_key_is_handled()
    {
        await using var service = await EmbeddedService.StartAsync(static options => options.FailureObservers.Add(new ThrowingObserver()));
        var handled = new System.Collections.Concurrent.ConcurrentDictionary<string, bool>(StringComparer.Ordinal);
        foreach (var (topic, (thrown, configure)) in DeadLettered)
        {
            service.Broker.CreateTopic(topic, 1);
            await service.SendAsync<Text>(topic, new Text("bad"), "k");
            await service.SendAsync<Text>(topic, new Text("good"), "k");
            await service.Kafka.SubscribeAsync<Text>(
                topic,
                (message, _, _) =>
                {
                    if (message.Value == "bad")
                    {
                        throw thrown;
                    }

                    handled[topic] = true;
                    return Task.CompletedTask;
                },
                configure: options =>
                {
                    options.DeadLetter.Enabled = true;
                    configure(options);
                }).WaitAsync(Waiting.Deadline);
        }

        await Waiting.Until(() => handled.Count == DeadLettered.Count, "each good message is handled", TimeSpan.FromSeconds(60));

        handled.Keys.Should().BeEquivalentTo(DeadLettered.Keys);
        foreach (var topic in DeadLettered.Keys)
        {
            await Waiting.Until(() => service.Committed(topic) == 2, $"{topic} is committed");
        }

        service.Kafka.Groups.First().Metrics.DeadLetters.Should().Be(DeadLettered.Count);
        Header(service, "message", "narad-exception-type").Should().Be(typeof(HostileException).FullName);
        Header(service, "message", "narad-exception-message").Should().Contain("Message of").And.Contain("threw System.InvalidOperationException");
        Header(service, "message-null", "narad-exception-message").Should().Contain("is null");
        Header(service, "stack-trace", "narad-exception-stack").Should().Contain("StackTrace of");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    [Trait("Promise", "S14")]
    public async Task Without_dead_letters_the_partition_stops_and_log_and_health_say_so(bool throws)
    {
        await using var service = await EmbeddedService.StartAsync();
        service.Broker.CreateTopic("t", 1);
        await service.SendAsync("t", "bad", "k");
        var subscription = await service.Kafka.SubscribeAsync<string>("t", (_, _, _) =>
            throw new HostileException(throws ? HostileException.Fault.AllThrow : HostileException.Fault.MessageIsNull)).WaitAsync(Waiting.Deadline);

        await Waiting.Until(() => subscription.StoppedPartitions.Count == 1, "the partition is stopped");

        var health = await service.HealthAsync();
        health.Status.Should().NotBe(HealthStatus.Healthy);
        health.Description.Should().Contain(nameof(HostileException));
        await Waiting.Until(() => service.Log.All.Any(line => line.Level >= Microsoft.Extensions.Logging.LogLevel.Error && line.Message.Contains("t[0]")),
            "it is logged");
    }

    private static string Header(EmbeddedService service, string topic, string name)
    {
        using var consumer = new ConsumerBuilder<byte[], byte[]>(new ConsumerConfig { BootstrapServers = service.Broker.BootstrapServers, GroupId = "reader" })
            .Build();
        consumer.Assign(new Confluent.Kafka.TopicPartitionOffset($"{topic}-dlt", 0, Offset.Beginning));
        return Encoding.UTF8.GetString(consumer.Consume(Waiting.Deadline).Message.Headers.GetLastBytes(name));
    }

    private sealed record Text(string Value);

    private sealed class ThrowingMiddleware : IConsumeMiddleware
    {
        public Task HandleAsync(object? message, MessageContext context, ConsumeDelegate next, CancellationToken cancellationToken)
            => message is Text { Value: "bad" } ? throw new HostileException(HostileException.Fault.AllThrow) : next(message, context, cancellationToken);
    }

    private sealed class ThrowingDeserializer : IMessageDeserializer
    {
        public ValueTask<object?> DeserializeAsync(ReadOnlyMemory<byte> data, Type type, MessageContext context, CancellationToken cancellationToken)
            => context.Offset == 0 ? throw new HostileException(HostileException.Fault.AllThrow) : new(new Text("good"));
    }

    private sealed class ThrowingObserver : IFailureObserver
    {
        public void OnRetryScheduled(FailedMessage message, SendResult retryRecord, DateTimeOffset due) =>
            throw new HostileException(HostileException.Fault.AllThrow);

        public void OnDeadLettered(FailedMessage message, SendResult deadLetter) => throw new HostileException(HostileException.Fault.AllThrow);
    }
}
