using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Narad.Kafka.Configuration;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Tests.Transports;
using Narad.Kafka.Topics;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Tests.OwnProcess;

/// <summary>Calls whose callers stop waiting, and which fail afterwards.</summary>
internal static class AbandonedCalls
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(1);
    private static readonly TopicPartitionOffsetSpec Latest = new() { TopicPartition = new TopicPartition("orders", 0), OffsetSpec = OffsetSpec.Latest() };

    public static async Task<int> RunAsync(string[] arguments)
    {
        using var broker = new FakeBroker();
        var options = new KafkaOptions { Mode = KafkaMode.Kafka, Brokers = broker.Address, ConnectTimeout = Timeout };
        var diagnostics = new KafkaDiagnostics();
        await using var admin = new AdminConnection(new ClientSettings(options, broker.Address, embedded: false), diagnostics);
        var topics = new KafkaTopics(admin, options, diagnostics, broker: null);
        await admin.ProbeAsync(TimeSpan.FromSeconds(20), default);
        broker.Answer = MetadataAnswer.Hanging;

        var ended = new List<Task>();
        using var leaving = new CancellationTokenSource();
        Task[] callers =
        [
            topics.GetPartitionCountsAsync(["orders"], leaving.Token),
            topics.GetCommittedOffsetsAsync("g", "orders", leaving.Token),
            admin.ProbeAsync(Timeout, leaving.Token),
            admin.CallAsync(
                Recording(client => client.ListOffsetsAsync([Latest], new ListOffsetsOptions { RequestTimeout = Timeout })), Timeout, leaving.Token),
            admin.CallAsync(Recording(client => client.DescribeConsumerGroupsAsync(["g"], new DescribeConsumerGroupsOptions { RequestTimeout = Timeout })),
                Timeout, leaving.Token),
        ];
        await leaving.CancelAsync();
        foreach (var caller in callers)
        {
            try
            {
                await caller;
                return 1;
            }
            catch (Exception error) when (error is OperationCanceledException or KafkaException or KafkaTopicException)
            {
                // as asked
            }
        }

        await Waiting.Until(() => ended.TrueForAll(static call => call.IsCompleted), "the calls to end");
        return ended.Exists(static call => call.IsFaulted) ? 0 : 1;

        Func<IAdminClient, Task<T>> Recording<T>(Func<IAdminClient, Task<T>> call) => client =>
        {
            var answer = call(client);
            ended.Add(answer);
            return answer;
        };
    }
}
