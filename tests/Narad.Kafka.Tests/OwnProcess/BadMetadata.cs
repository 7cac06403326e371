using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Tests.Transports;
using Narad.Kafka.Topics;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Tests.OwnProcess;

/// <summary>A service with a producer and a group, and what its background work asks for, while a broker gives every answer to requests for metadata.</summary>
internal static class BadMetadata
{
    private const int AnswersOfAKind = 6;
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(1);

    public static async Task<int> RunAsync(string[] arguments)
    {
        using var broker = new FakeBroker();
        var options = new KafkaOptions { Mode = KafkaMode.Kafka, Brokers = broker.Address, ConsumerGroupId = "g",
            ProbeInterval = TimeSpan.FromMilliseconds(100), ShutdownTimeout = TimeSpan.FromSeconds(2) };
        await using var kafka = new KafkaService(options);
        await kafka.ConnectProducerAsync();
        await kafka.ConnectConsumerAsync("g");
        _ = kafka.SubscribeAsync<string>("orders", (_, _, _) => Task.CompletedTask).ContinueWith(static joined => joined.Exception, TaskScheduler.Default);

        // What the groups' watches ask for every few seconds, here all the time.
        await using var transport = Transport.For(
            KafkaMode.Kafka, new KafkaOptions { Brokers = broker.Address, ConnectTimeout = Timeout }, new KafkaDiagnostics());
        using var stop = new CancellationTokenSource();
        var topics = (KafkaTopics)transport.Topics;
        Task[] work =
        [
            RepeatAsync(() => transport.ProbeAsync(Timeout, stop.Token), stop.Token),
            RepeatAsync(() => topics.SeeAsync(["orders", "payments"], stop.Token), stop.Token),
            RepeatAsync(() => topics.GetReadRightsAsync("g", ["orders", "payments"], stop.Token), stop.Token),
            RepeatAsync(() => topics.GetPartitionCountsAsync(["orders"], stop.Token), stop.Token),
            RepeatAsync(() => transport.DescribeClusterAsync(Timeout, stop.Token), stop.Token),
        ];

        foreach (var answer in Enum.GetValues<MetadataAnswer>())
        {
            broker.Answer = answer;
            await Waiting.Until(() => broker.Asked >= AnswersOfAKind, $"{answer}: asked");
            Console.WriteLine(answer);
            broker.Answer = MetadataAnswer.Good;   // so that each answer comes to clients that were content before
            await Waiting.Until(() => kafka.IsConnected, $"connected again after {answer}");
        }

        await stop.CancelAsync();
        await Task.WhenAll(work);
        Console.WriteLine("survived");
        return 0;
    }

    /// <summary>What the library does not do: the same, asked with the administration client's request.</summary>
    public static async Task<int> AskAsAdministratorAsync(string[] arguments)
    {
        using var broker = new FakeBroker();
        using var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = broker.Address }).SetLogHandler((_, _) => { }).Build();
        await admin.DescribeClusterAsync(new DescribeClusterOptions { RequestTimeout = TimeSpan.FromSeconds(20) });
        broker.Answer = MetadataAnswer.Nothing;
        await admin.DescribeClusterAsync(new DescribeClusterOptions { RequestTimeout = TimeSpan.FromSeconds(20) });
        return 0;
    }

    private static async Task RepeatAsync(Func<Task> ask, CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                await ask();
            }
            catch (Exception error) when (error is KafkaException or KafkaTopicException or TimeoutException or OperationCanceledException)
            {
                // bad answers are failures; the process has to live
            }

            await Task.Delay(20, CancellationToken.None);
        }
    }
}
