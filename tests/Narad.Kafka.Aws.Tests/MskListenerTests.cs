using System.Collections.Concurrent;
using Amazon.Runtime;
using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace Narad.Kafka.Aws.Tests;

/// <summary>A listener that checks tokens as MSK does, for the key that the environment names; skips with the reason where there is none.</summary>
public sealed class MskListenerTests
{
    private static readonly TimeSpan SlowMachine = TimeSpan.FromSeconds(60);

    [SkippableFact]
    public async Task A_service_connects_sends_and_receives()
    {
        var topic = $"narad-test-topic-{Guid.CreateVersion7():n}";
        var options = Options(Variable("NARAD_TEST_AWS_SECRET_ACCESS_KEY"));
        using var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = Variable("NARAD_TEST_KAFKA") }).Build();
        await admin.CreateTopicsAsync([new TopicSpecification { Name = topic, NumPartitions = 1 }]);
        await using var kafka = new KafkaService(options);
        var received = new ConcurrentQueue<string>();
        var came = new TaskCompletionSource();

        await kafka.ConnectProducerAsync();
        await kafka.ConnectConsumerAsync($"narad-test-group-{Guid.CreateVersion7():n}");
        await kafka.SubscribeAsync<string>(topic, (message, _, _) =>
        {
            received.Enqueue(message);
            came.TrySetResult();
            return Task.CompletedTask;
        });
        await kafka.SendAsync(topic, "hello");
        await came.Task.WaitAsync(SlowMachine);

        received.Should().Equal("hello");
    }

    [SkippableFact]
    public async Task A_wrong_secret_fails_within_the_timeout_and_is_in_no_message()
    {
        const string Wrong = "wrong-secret-access-key";
        var options = Options(Wrong);
        await using var kafka = new KafkaService(options);

        var failed = await kafka.Awaiting(service => service.ConnectProducerAsync()).Should().ThrowAsync<KafkaConnectionException>();

        failed.Which.Message.Should().Contain("the signature does not match");
        failed.Which.ToString().Should().NotContain(Wrong).And.NotContain("X-Amz-");
    }

    private static KafkaOptions Options(string secret)
    {
        var options = new KafkaOptions { Mode = KafkaMode.Kafka, Brokers = Variable("NARAD_TEST_KAFKA_MSK_IAM"), ConnectTimeout = SlowMachine };
        options.UseMskIam(Variable("NARAD_TEST_AWS_REGION"), configure: aws =>
            aws.Credentials = new BasicAWSCredentials(Variable("NARAD_TEST_AWS_ACCESS_KEY_ID"), secret));
        options.Ssl.Ca = Variable("NARAD_TEST_KAFKA_CA");
        return options;
    }

    private static string Variable(string name)
    {
        var value = Environment.GetEnvironmentVariable(name);
        Skip.If(string.IsNullOrEmpty(value), $"{name} is not set: there is no listener that checks tokens of MSK.");
        return value!;
    }
}
