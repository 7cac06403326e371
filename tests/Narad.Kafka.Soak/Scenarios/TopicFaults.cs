using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Narad.Kafka.Soak.Cluster;

namespace Narad.Kafka.Soak.Scenarios;

/// <summary>Topics and offsets that change under the group.</summary>
internal static class TopicFaults
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    public static async Task PartitionsAddedAsync(Bed bed)
    {
        await bed.JoinAsync();
        await bed.JoinAsync();
        await bed.SendAsync();
        foreach (var partitions in (int[])[6, 12])
        {
            await Task.Delay(TimeSpan.FromSeconds(5));
            await bed.Cluster.Admin.CreatePartitionsAsync(bed.Topics.Select(topic => new PartitionsSpecification { Topic = topic, IncreaseTo = partitions }));
            await KafkaCluster.Until(() => bed.Members.Sum(member => member.Partitions) == partitions * bed.Topics.Count, $"all {partitions} partitions of each topic are assigned", Limit);
            bed.Say($"{partitions} partitions a topic, all assigned; {bed.Status()}");
        }

        // A new connection knows the new partitions at once: from here on keys move to them. (One sender a key at a time: their order is the ledger's.)
        await bed.StopSendingAsync();
        await bed.SendAllAsync(2_000);
        await Task.Delay(TimeSpan.FromSeconds(5));
    }

    public static async Task RecreatedAsync(Bed bed)
    {
        await bed.JoinAsync();
        await bed.JoinAsync();
        await bed.SendAllAsync(3_000);
        await bed.ReadAsync();
        await bed.SettleAsync();
        bed.Say($"the first topics are handled ({bed.Status()}); they are deleted and created again");
        await bed.Cluster.Admin.DeleteTopicsAsync(bed.Topics);
        foreach (var topic in bed.Topics)
        {
            await bed.Cluster.CreateTopicAsync(topic, 6);
        }

        await bed.SendAllAsync(3_000);
        await bed.ReadAsync();
        await ResumeStoppedAsync(bed);
    }

    public static async Task OffsetsResetAsync(Bed bed)
    {
        await bed.JoinAsync();
        await bed.SendAllAsync(3_000);
        await bed.ReadAsync();
        await bed.SettleAsync();
        await Task.Delay(TimeSpan.FromSeconds(2));   // until it is committed

        var zero = bed.Topics.SelectMany(topic => Enumerable.Range(0, 6).Select(partition => new TopicPartitionOffset(topic, partition, 0))).ToList();
        bed.Check(await RefusalAsync(() => bed.Cluster.Admin.AlterConsumerGroupOffsetsAsync([new ConsumerGroupTopicPartitionOffsets(bed.Group, zero)])) is { } refused, "the broker refuses to alter the offsets of a group that has members");
        bed.Check(bed.Ledger.Handlings.Count == bed.Ledger.Handled, "nothing was handled again by that");

        // A client that is no member commits for the group: refused as well, or the members go on and overwrite it.
        var stray = await RefusalAsync(() => Task.Run(() => CommitAsStranger(bed, zero)));
        bed.Say($"a commit of offset 0 by a client that is no member: {stray ?? "accepted"}");
        await bed.SendAllAsync(1_000);
        await ReadAgainAsync(bed);
        await bed.SettleAsync();
        bed.Check(bed.Ledger.Handlings.Count == bed.Ledger.Handled, "the member went on behind what it had handled");

        // Without members it is allowed, and what it asks for is done: everything is handled again.
        var before = bed.Ledger.Handlings.Count;
        var began = System.Diagnostics.Stopwatch.GetTimestamp();
        await bed.LeaveAsync(bed.Members[0]);
        string? still = "";
        await KafkaCluster.Until(() => (still = RefusalAsync(() => bed.Cluster.Admin.AlterConsumerGroupOffsetsAsync([new ConsumerGroupTopicPartitionOffsets(bed.Group, zero)])).GetAwaiter().GetResult()) is null, "the offsets of the empty group are altered", Limit);
        bed.Ledger.Fault(began, TimeSpan.FromHours(1), TimeSpan.Zero);
        await bed.JoinAsync();
        await KafkaCluster.Until(() => bed.Ledger.Handlings.Count >= before + bed.Ledger.Handled, "everything is handled again", Limit);
        bed.Say("the offsets of the empty group were set to 0: everything was handled again, once");
        bed.Check(bed.Ledger.Handlings.Count == before + bed.Ledger.Handled, "once, no more");
    }

    public static async Task RetentionOvertakesAsync(Bed bed)
    {
        var member = await bed.JoinAsync();
        await bed.SendAllAsync(3_000);
        await bed.ReadAsync();
        await bed.SettleAsync();
        await bed.LeaveAsync(member);

        // While nobody consumes, 6,000 more come, and retention deletes the first half of what each partition then holds unhandled.
        await bed.SendAllAsync(6_000);
        await ReadAgainAsync(bed);
        var unhandled = bed.Records.Where(record => !bed.Ledger.IsHandled(record.Key, record.Sequence)).GroupBy(record => record.Log, StringComparer.Ordinal).ToList();
        var deletions = new List<TopicPartitionOffset>();
        long deleted = 0;
        foreach (var log in unhandled)
        {
            var offsets = log.OrderBy(record => record.Offset).ToList();
            var cut = offsets[offsets.Count / 2].Offset;
            var bracket = log.Key.IndexOf('[', StringComparison.Ordinal);
            deletions.Add(new TopicPartitionOffset(log.Key[..bracket], int.Parse(log.Key[(bracket + 1)..log.Key.IndexOf(']', StringComparison.Ordinal)], System.Globalization.CultureInfo.InvariantCulture), cut));
            var gone = offsets.Where(record => record.Offset < cut).ToList();
            bed.Delete(gone);
            deleted += gone.Count;
        }

        await bed.Cluster.Admin.DeleteRecordsAsync(deletions);
        await bed.JoinAsync();
        await KafkaCluster.Until(() => bed.Members[0].Stopped.Count() == deletions.Count, "every partition stopped and says so", Limit);
        bed.Check(bed.Members[0].Stopped.All(stopped => stopped.Reason is OffsetUnavailableException), $"all {deletions.Count} partitions stopped with an {nameof(OffsetUnavailableException)}: {deleted} messages that were deleted unhandled are not passed over in silence");
        await ResumeStoppedAsync(bed);
    }

    // Reads only what came since: logs are append-only, so the latest reading replaces the one before.
    private static Task ReadAgainAsync(Bed bed) => bed.ReadAsync(again: true);

    private static async Task ResumeStoppedAsync(Bed bed)
    {
        // What stops because its offset is not there any more goes on when somebody says so.
        var started = DateTime.UtcNow;
        var resumed = 0;
        while (bed.Records.Any(record => !bed.IsDone(record)) && DateTime.UtcNow - started < Limit)
        {
            foreach (var member in bed.Members)
            {
                resumed += await member.GoOnAsync(static _ => null);
            }

            await Task.Delay(200);
        }

        bed.Say($"partitions that had stopped and were resumed by name: {resumed}");
    }

    private static async Task<string?> RefusalAsync(Func<Task> request)
    {
        try
        {
            await request();
            return null;
        }
        catch (KafkaException refused)
        {
            return refused is AlterConsumerGroupOffsetsException altering
                ? altering.Results[0].Partitions.Find(partition => partition.Error.IsError)?.Error.Code.ToString() ?? refused.Error.Code.ToString()
                : refused.Error.Code.ToString();
        }
    }

    private static void CommitAsStranger(Bed bed, List<TopicPartitionOffset> offsets)
    {
        using var consumer = new ConsumerBuilder<byte[]?, byte[]?>(new ConsumerConfig { BootstrapServers = bed.Cluster.Brokers, GroupId = bed.Group, EnableAutoCommit = false })
            .SetLogHandler((_, _) => { }).SetErrorHandler((_, _) => { }).Build();
        consumer.Assign(offsets);
        consumer.Commit(offsets);
    }
}
