using Confluent.Kafka;
using FsCheck;
using FsCheck.Fluent;
using Narad.Kafka.Consuming;
using Narad.Kafka.Failures;
using Narad.Kafka.Transactions;

namespace Narad.Kafka.Tests.Transactions;

/// <summary>Transactions of random size that fail, are refused and are interrupted at random, until everything counts.</summary>
public sealed class TransactionPlanTests
{
    [Fact]
    [Trait("Promise", "S27")]
    public void Whatever_fails_and_is_interrupted_each_message_counts_once_and_in_its_order() =>
        Check.One(FsCheck.Config.QuickThrowOnFailure.WithMaxTest(400), Prop.ForAll<int>(seed => new Model(new Random(seed)).Run()));

    [Fact]
    public void A_deferred_message_is_waited_for_since_an_offset_says_that_all_before_it_counts()
    {
        var partition = NewPartition(0);
        Arrive(partition, 10);
        var deferred = partition.Tracker.Add(11);
        Arrive(partition, 12);
        var plan = new TransactionPlan();

        plan.Take([partition], 10, now: 0).Select(delivery => delivery.Offset).Should().Equal(10);

        partition.Backlog.Taken = 0;
        var late = new Delivery(partition, new ReceivedMessage(partition.Partition, 11, Key: null, Value: null),
            deferred) { TransactionState = new TransactionState() };
        partition.Backlog.Add(late);
        plan.Take([partition], 10, now: 0).Select(delivery => delivery.Offset).Should().Equal(10, 11, 12);
    }

    private static AssignedPartition NewPartition(int number) => new(new TopicPartition("t", number), null!);

    private static Delivery Arrive(AssignedPartition partition, long offset)
    {
        var delivery = new Delivery(partition, new ReceivedMessage(partition.Partition, offset, Key: null, Value: null),
            partition.Tracker.Add(offset)) { TransactionState = new TransactionState() };
        partition.Backlog.Add(delivery);
        return delivery;
    }

    /// <summary>Some partitions, what is to happen to each of their messages, and what counted so far.</summary>
    private sealed class Model
    {
        private readonly Random _random;
        private readonly List<AssignedPartition> _partitions;
        private readonly Dictionary<(int, long), Fate> _fates = [];
        private readonly List<(int Partition, long Offset, bool Dead)> _counted = [];
        private readonly TransactionPlan _plan = new();
        private readonly TransactionResolution _resolution;
        private readonly KafkaSendException _refused = new("no", "t", default, "MsgSizeTooLarge", retriable: false, mayHaveBeenWritten: false);
        private long _now;

        public Model(Random random)
        {
            _random = random;
            _partitions = [.. Enumerable.Range(0, random.Next(1, 4)).Select(NewPartition)];
            foreach (var partition in _partitions)
            {
                var offset = 0L;
                for (var n = random.Next(1, 25); n > 0; n--)
                {
                    offset += random.Next(1, 3);   // compaction and transaction markers leave gaps
                    Arrive(partition, offset);
                    _fates[(partition.Id.Partition, offset)] = new Fate(random.Next(5) == 0 ? random.Next(1, 4)
                        : 0, random.Next(12) == 0, random.Next(20) == 0);
                }
            }

            _resolution = new TransactionResolution(static _ => true, delay => _now + delay.Ticks, static (_, _) => { });
        }

        public bool Run()
        {
            for (var turn = 0; _counted.Count < _fates.Count; turn++)
            {
                turn.Should().BeLessThan(2_000, "everything counts in the end");
                _now++;
                var chosen = _plan.Take(_partitions, _random.Next(1, 12), _now);
                if (chosen.Count > 0)
                {
                    RunTransaction(chosen);
                }
            }

            _counted.Select(counted => (counted.Partition, counted.Offset)).Should().OnlyHaveUniqueItems();
            foreach (var queue in _counted.GroupBy(counted => (counted.Partition, KeyOf(counted.Offset))))
            {
                queue.Select(counted => counted.Offset).Should().BeInAscendingOrder();
            }

            foreach (var (partition, offset, dead) in _counted)
            {
                var fate = _fates[(partition, offset)];
                fate.Attempts.Should().Be(Math.Min(fate.Failures, 2) + (dead ? 0 : 1), "an attempt is one that nobody else ended");
                dead.Should().Be(fate.Failures > 1 || fate.IsTooLarge);
            }

            return true;
        }

        private static long KeyOf(long offset) => offset % 3;

        private void RunTransaction(List<Delivery> chosen)
        {
            var transaction = new GroupTransaction(null!, null!, TimeProvider.System, TimeSpan.FromMinutes(1),
                Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance) { HasOneMessage = chosen.Count == 1 };
            var effects = new List<(int, long, bool)>();
            foreach (var delivery in chosen)
            {
                var entry = new TransactionEntry(transaction, delivery);
                delivery.TransactionState!.Entry = entry;
                transaction.Entries.Add(entry);
                transaction.Outstanding[delivery.Partition] = 0;
            }

            // KeyQueues: each key in order, all of them mixed.
            var queues = transaction.Entries.GroupBy(static entry => (entry.Partition, KeyOf(entry.Offset)))
                .Select(static entries => new Queue<TransactionEntry>(entries)).ToList();
            while (queues.Count > 0)
            {
                var queue = queues[_random.Next(queues.Count)];
                var entry = queue.Dequeue();
                if (queue.Count == 0)
                {
                    queues.Remove(queue);
                }

                if (_random.Next(60) == 0)
                {
                    transaction.StopAdding();   // a revoke, a pause, a shutdown
                }

                Handle(entry, effects);
                entry.IsBack = true;
            }

            transaction.End();
            var isRefused = _random.Next(10) == 0;   // by the coordinator
            if (transaction.IsFailed || isRefused || _resolution.OffsetsToCommit(transaction) is not { } offers)
            {
                _resolution.ReturnToBacklog(transaction);
                return;
            }

            _counted.AddRange(effects);
            foreach (var (partition, offset, count) in offers)
            {
                for (var i = 0; i < count; i++)
                {
                    partition.Tracker.Finish(partition.Backlog[i].Sequence);
                }

                partition.Tracker.Committable.Should().Be(offset, "the offset says what counts, and nothing else");
                partition.Backlog.RemoveFirst(count);
            }

            transaction.Entries.RemoveAll(static entry => entry.State is TransactionEntryState.Succeeded);
            _resolution.ReturnToBacklog(transaction);
        }

        private void Handle(TransactionEntry entry, List<(int, long, bool)> effects)
        {
            var delivery = entry.Delivery;
            var place = (entry.Partition.Id.Partition, entry.Offset);
            if (!entry.TryStart())
            {
                return;
            }

            if (delivery.Forwarding is not null)
            {
                effects.Add((place.Partition, place.Offset, true));
                entry.Finish();
                return;
            }

            delivery.Attempts++;
            var fate = _fates[place];
            Exception? error = delivery.Attempts <= fate.Failures ? new FormatException("no") : null;
            if (error is null && fate.IsTooLarge)
            {
                entry.SendRefused(_refused);
                error = fate.IsSwallowed && !entry.Transaction.HasOneMessage ? null : _refused;
            }

            if (error is null)
            {
                effects.Add((place.Partition, place.Offset, false));
                fate.Attempts = delivery.Attempts;
                entry.Finish();
                return;
            }

            if (entry.CountsAsFailure(ref error))
            {
                var isLast = error is KafkaSendException || delivery.Attempts > 1;
                fate.Attempts = delivery.Attempts - (error is KafkaSendException ? 1 : 0);
                entry.Decide(new FailureDecision(isLast ? FailureAction.DeadLetter : FailureAction.Retry, TimeSpan.FromTicks(_random.Next(5))), error);
            }
        }

        private sealed class Fate(int failures, bool isTooLarge, bool isSwallowed)
        {
            public int Failures { get; } = failures;

            public bool IsTooLarge { get; } = isTooLarge;

            public bool IsSwallowed { get; } = isSwallowed;

            public int Attempts { get; set; }
        }
    }
}
