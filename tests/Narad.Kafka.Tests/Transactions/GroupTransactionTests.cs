using Confluent.Kafka;
using Microsoft.Extensions.Logging.Abstractions;
using Narad.Kafka.Consuming;
using Narad.Kafka.Transactions;

namespace Narad.Kafka.Tests.Transactions;

public class GroupTransactionTests
{
    [Fact]
    [Trait("Promise", "S11")]
    [Trait("Promise", "S27")]
    public async Task Handlers_of_a_lost_partition_are_cancelled_although_the_transaction_ends_before_the_thread_pool_gets_to_it()
    {
        var partition = new AssignedPartition(new TopicPartition("t", 0), null!);
        var transaction = new GroupTransaction(null!, null!, TimeProvider.System, TimeSpan.FromMinutes(1), NullLogger.Instance);
        transaction.Watch(partition);
        using var busy = new ManualResetEventSlim();
        await using var last = partition.Token.Register(busy.Wait); // what is registered last runs first, and keeps the others waiting

        partition.Cancel(NullLogger.Instance);
        transaction.End();
        var cancelled = transaction.Token.IsCancellationRequested;
        busy.Set();

        cancelled.Should().BeTrue();
    }

    [Fact]
    public void A_transaction_that_ends_while_its_partitions_stay_cancels_no_handler()
    {
        var transaction = new GroupTransaction(null!, null!, TimeProvider.System, TimeSpan.FromMinutes(1), NullLogger.Instance);
        transaction.Watch(new AssignedPartition(new TopicPartition("t", 0), null!));

        transaction.End();

        transaction.Token.IsCancellationRequested.Should().BeFalse();
    }
}
