using FsCheck;
using FsCheck.Fluent;
using Narad.Kafka.KeyOrder;
using Narad.Kafka.Shared;

namespace Narad.Kafka.Tests.KeyOrder;

/// <summary>
/// Against a simple oracle: per key, what is done follows what was done before it, or goes back and on from there; nothing is left out and nothing is lost.
/// </summary>
public sealed class BlockedKeysTests
{
    [Fact]
    [Trait("Promise", "S26")]
    [Long]
    public void The_order_of_successful_handling_is_the_order_of_sending_whatever_fails_crashes_or_is_republished()
    {
        var steps = Gen.Choose(0, int.MaxValue - 1).ListOf(600);
        Check.One(FsCheck.Config.QuickThrowOnFailure.WithMaxTest(6_000).WithEndSize(600), Prop.ForAll(steps.ToArbitrary(), static choices =>
        {
            var wrong = KeyOrderModel.Check(choices);
            return (wrong is null).Label(wrong ?? "");
        }));
    }

    [Fact]
    [Trait("Promise", "S19")]
    [Trait("Promise", "S26")]
    public void Members_that_come_and_go_in_order_handle_no_waiting_message_twice()
    {
        var steps = Gen.Choose(0, int.MaxValue - 1).ListOf(300);
        Check.One(FsCheck.Config.QuickThrowOnFailure.WithMaxTest(6_000).WithEndSize(300), Prop.ForAll(steps.ToArbitrary(), static choices =>
        {
            var wrong = KeyOrderModel.Check(choices, orderly: true);
            return (wrong is null).Label(wrong ?? "");
        }));
    }

    [Fact]
    [Trait("Promise", "S19")]
    [Trait("Promise", "S26")]
    public void What_was_handled_from_its_copy_is_not_handled_from_the_source_by_whoever_comes_next()
    {
        var blocked = Opened("first");
        blocked.SourceBegan(0, isResumed: false);
        blocked.DecideMessage(Key, 1, timestamp: 7).Should().Be(KeyOrderDecision.Handle);
        blocked.TryBeginForward(Key, 1, timestamp: 7, attempt: 1).Should().BeTrue();
        blocked.OnForwarded(Key, 1, offset: 0);
        blocked.OnSourceFinished(Key, 1);
        blocked.Read(Key, Copy(offset: 0, origin: 1, "first"), now: 10);
        Handle(blocked, offset: 0);
        blocked.AllFinishedBelow(1);

        var note = blocked.TakeKeyCheckpoints(sourceOffset: 0).Should().ContainSingle().Which;

        var next = new BlockedKeys("next");
        next.ReadKeyCheckpoint(note.Key, note.Origin, note.Timestamp, note.Stamp.Writer, note.Stamp.Committed);
        Open(next);
        next.SourceBegan(0, isResumed: true);
        next.DecideMessage(Key, 1, timestamp: 7).Should().Be(KeyOrderDecision.Finish);
        next.TakeSkipped().Should().Be(1);
        next.DecideMessage(Key, 2, timestamp: 8).Should().Be(KeyOrderDecision.Handle);
        blocked.TakeKeyCheckpoints(sourceOffset: 2).Should().BeEmpty("the source is read from behind it");
    }

    [Fact]
    [Trait("Promise", "S26")]
    public void A_source_partition_that_was_anothers_meanwhile_leaves_the_seal_and_one_that_is_sought_renews_it()
    {
        var blocked = new BlockedKeys("first");
        blocked.Join(isSought: false);
        var seal = blocked.Seal.Seal;

        blocked.Join(isSought: false);
        blocked.Seal.Seal.Should().BeSameAs(seal, "records that were written with it are the group's own still");
        blocked.Join(isSought: true);
        blocked.Seal.Seal.Should().NotBeSameAs(seal);
    }

    [Fact]
    [Trait("Promise", "S26")]
    public void What_is_said_of_the_order_of_a_key_does_not_finish_a_strangers_record_of_it()
    {
        var next = new BlockedKeys("next");
        next.Read(Key, StoredRecord.Stranger(offset: 3, sequence: 3, timestamp: 7, attempt: 0, due: 0), now: 10);

        next.ReadFinished(Key, new FinishedRecords(UpTo: 9, Next: 5, DeadLetterOthers: false), offset: 9).Should().BeEmpty("it was not handled");
        next.ReadFinished(Key, new FinishedRecords(UpTo: 9, Next: long.MinValue + 4, DeadLetterOthers: false), offset: 10).Should().Equal(3);
    }

    [Fact]
    [Trait("Promise", "S26")]
    public void A_key_that_is_read_again_from_further_back_is_not_taken_for_handled_by_whoever_comes_next()
    {
        var blocked = Opened("first");
        blocked.Read(Key, Copy(offset: 0, origin: 5, "one that had the partition before the group was set back"), now: 10);
        blocked.SourceBegan(2, isResumed: true);
        blocked.DecideMessage(Key, 2, timestamp: 8).Should().Be(KeyOrderDecision.Handle);
        blocked.OnSourceFinished(Key, 2);
        Handle(blocked, offset: 0);
        blocked.AllFinishedBelow(1);

        blocked.TakeKeyCheckpoints(sourceOffset: 3).Should().BeEmpty("what is between them is wanted");
    }

    [Fact]
    [Trait("Promise", "S26")]
    public void A_void_copy_is_finished_for_whoever_comes_next_too()
    {
        var blocked = Opened("first");
        blocked.SourceBegan(0, isResumed: false);
        blocked.DecideMessage(Key, 1, timestamp: 7).Should().Be(KeyOrderDecision.Handle);
        blocked.OnSourceFinished(Key, 1);
        blocked.DecideMessage(Key, 2, timestamp: 8).Should().Be(KeyOrderDecision.Handle);
        blocked.TryBeginForward(Key, 2, timestamp: 8, attempt: 1).Should().BeTrue();
        blocked.OnForwarded(Key, 2, offset: 0);
        blocked.OnSourceFinished(Key, 2);
        blocked.Read(Key, Copy(offset: 0, origin: 2, "first"), now: 10);
        blocked.Read(Key, Copy(offset: 1, origin: 1, "one that had the partition before"), now: 10);

        blocked.FinishDuplicates().Should().Equal(1);
        var note = blocked.TakeKeyCheckpoints(sourceOffset: 3).Should().ContainSingle().Which;

        var next = new BlockedKeys("next");
        next.Read(Key, Copy(offset: 0, origin: 2, "first"), now: 10);
        next.Read(Key, Copy(offset: 1, origin: 1, "one that had the partition before"), now: 10);
        next.ReadFinished(note.Key, note.Stamp.Finished!.Value, offset: 2).Should().Equal(1);
        Open(next);
        next.TakeDue(now: 10, most: 10).Select(static due => due.Offset).Should().Equal(0);
    }

    private static byte[] Key => "key"u8.ToArray();

    private static StoredRecord Copy(long offset, long origin, string writer) =>
        new(offset, Sequence: offset, origin, Timestamp: 6 + origin, Attempt: 1, Due: 10, writer, Committed: 0, IsStranger: false);

    private static BlockedKeys Opened(string writer)
    {
        var blocked = new BlockedKeys(writer);
        Open(blocked);
        return blocked;
    }

    private static void Open(BlockedKeys blocked)
    {
        blocked.Recovered();
        blocked.Open(true);
        blocked.Seal.Committed();
    }

    private static void Handle(BlockedKeys blocked, long offset)
    {
        blocked.TakeDue(now: 10, most: 10).Should().ContainSingle().Which.Offset.Should().Be(offset);
        blocked.DecideRecord(offset, out var copy).Should().Be(KeyOrderDecision.Handle);
        blocked.Finish(copy!, blocked.PrepareFinish(copy!));
        blocked.OnRecordReturned(offset);
    }
}
