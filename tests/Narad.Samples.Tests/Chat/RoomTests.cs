using Chat.Contract;
using Chat.Log;
using Chat.Rooms;
using FsCheck;
using FsCheck.Fluent;

namespace Narad.Samples.Tests.Chat;

/// <summary>Status, markers, and the sequence of a room: whatever the order in which things become known.</summary>
public sealed class RoomTests
{
    private static readonly FsCheck.Config Quick = FsCheck.Config.QuickThrowOnFailure.WithMaxTest(500);

    [Fact]
    public void The_status_of_a_message_never_goes_backwards_whatever_receipts_come_and_who_joins_and_leaves() => Check.One(
        Quick,
        Prop.ForAll(Gen.Choose(0, 10_000).ListOf().ToArbitrary(), static choices =>
        {
            var room = new Room("r");
            var before = Enumerable.Repeat(MessageStatus.Sent, 30).ToArray();
            var sequence = 100L;
            foreach (var choice in choices)
            {
                var (user, upTo) = ($"user-{choice % 4}", choice / 4 % 32L);
                switch (choice % 5)
                {
                    case 0:
                        room.Read(Record(RecordKind.Joined, user), 0, sequence++);
                        break;
                    case 1:
                        room.Read(Record(RecordKind.Left, user), 0, sequence++);
                        break;
                    case 2:
                        room.Read(new Receipt(user, upTo, 0));
                        break;
                    default:
                        room.Read(new Receipt(user, upTo, upTo));
                        break;
                }

                var receipts = room.Receipts;
                var now = before.Select((_, i) => receipts.StatusOf("user-0", i)).ToArray();
                if (now.Where((status, i) => status < before[i]).Any() || now.Zip(now.Skip(1)).Any(static pair => pair.First < pair.Second))
                {
                    return false;   // later messages are never ahead of earlier ones
                }

                before = now;
            }

            return true;
        }));

    [Fact]
    public void A_message_is_delivered_and_read_by_others_alone()
    {
        var room = new Room("r");
        room.Read(new Receipt("ann", 9, 9));
        room.Receipts.StatusOf("ann", 5).Should().Be(MessageStatus.Sent, "ann's own receipt says nothing about her messages");
        room.Receipts.StatusOf("ben", 5).Should().Be(MessageStatus.Read);

        room.Read(new Receipt("ben", 6, 3));
        room.Receipts.StatusOf("ann", 3).Should().Be(MessageStatus.Read);
        room.Receipts.StatusOf("ann", 6).Should().Be(MessageStatus.Delivered);
        room.Receipts.StatusOf("ann", 7).Should().Be(MessageStatus.Sent);
    }

    [Fact]
    public void What_is_known_of_a_member_does_not_depend_on_the_order_in_which_it_becomes_known() => Check.One(
        Quick,
        Prop.ForAll(Gen.Choose(1, 1_000).ListOf().ToArbitrary(), Gen.Choose(0, int.MaxValue - 1).ToArbitrary(), static (choices, seed) =>
        {
            var facts = choices.Distinct().Select(static choice => choice % 2 == 0
                ? (Func<Member, Member>)(member => member.With(new MemberChange("ann", (MemberState)(1 + (choice / 2 % 3)), choice)))
                : member => member.With(new Receipt("ann", choice, choice / 2))).ToList();
            var shuffled = facts.ToArray();
            new Random(seed).Shuffle(shuffled);
            var half = facts.Count / 2;
            var one = facts.Aggregate(Member.None("ann"), static (member, fact) => fact(member));
            var other = shuffled.Aggregate(Member.None("ann"), static (member, fact) => fact(member));
            var merged = facts[..half].Aggregate(Member.None("ann"), static (member, fact) => fact(member))
                .With(facts[half..].Aggregate(Member.None("ann"), static (member, fact) => fact(member)));
            return one == other && one == merged && one.ReadUpTo <= one.DeliveredUpTo;
        }));

    [Fact]
    public void A_client_that_trusts_only_what_continues_at_its_mark_has_all_messages_once_whatever_is_lost_or_sent_again() => Check.One(
        Quick,
        Prop.ForAll(Gen.Choose(0, 10_000).ListOf().ToArbitrary(), static choices =>
        {
            var room = new Room("r");
            var (mark, shown, all) = (0L, new List<string>(), new List<string>());
            var sequence = 0L;
            foreach (var choice in choices)
            {
                sequence += 1 + (choice % 3);   // other rooms are in the same partition
                var id = choice % 7 == 0 && all.Count > 0 ? all[choice % all.Count] : $"m{sequence}";
                if (choice % 11 == 0)
                {
                    room.Read(Record(RecordKind.Joined, "ann"), 0, sequence);
                    continue;
                }

                var read = room.Read(Record(RecordKind.Message, "ann", id), 0, sequence);
                if (room.Read(Record(RecordKind.Message, "ann", id), 0, sequence) is not null)
                {
                    return false;   // a record that is read again is not new
                }

                if (!all.Contains(id))
                {
                    all.Add(id);
                }

                if (read is var (message, previous) && choice % 5 != 0)   // else the event is lost
                {
                    if (previous != mark)
                    {
                        var missing = room.Tail().Where(one => one.Sequence > mark).ToList();
                        shown.AddRange(missing.Select(static one => one.MessageId));
                        mark = missing[^1].Sequence;
                    }
                    else
                    {
                        shown.Add(message.MessageId);
                        mark = message.Sequence;
                    }
                }
            }

            shown.AddRange(room.Tail().Where(one => one.Sequence > mark).Select(static one => one.MessageId));
            return shown.SequenceEqual(all);
        }));

    [Fact]
    public void The_first_message_that_a_new_instance_reads_says_that_it_does_not_know_what_is_before_it_unless_the_storage_does()
    {
        var unloaded = new Room("r");
        unloaded.Read(Record(RecordKind.Message, "ann", "m7"), 0, 7)!.Value.Previous.Should().Be(Room.Unknown);
        unloaded.Read(Record(RecordKind.Message, "ann", "m9"), 0, 9)!.Value.Previous.Should().Be(7);

        var loaded = new Room("r");
        loaded.Load(2, 5, []);
        loaded.Head.Should().Be(5);
        loaded.Read(Record(RecordKind.Message, "ann", "m7"), 0, 7)!.Value.Previous.Should().Be(5);

        var behind = new Room("r");
        behind.Load(2, 9, []);
        behind.Read(Record(RecordKind.Message, "ann", "m7"), 0, 7)!.Value.Previous.Should().Be(Room.Unknown, "9 was stored before 7 was read here");
        behind.Head.Should().Be(9);
    }

    [Fact]
    public void What_is_not_stored_stays_in_memory_and_what_is_stored_goes()
    {
        var room = new Room("r");
        room.Load(0, 0, []);
        for (var i = 1; i <= 2_000; i++)
        {
            room.Read(Record(RecordKind.Message, "ann", $"m{i}"), 0, i);
        }

        room.Trim(0);
        room.Tail().Should().HaveCount(2_000);
        room.Trim(1_800);
        room.Tail().Should().HaveCount(500, "some stay, so that a message that is sent again is recognised");
        room.Read(Record(RecordKind.Message, "ann", "m1900"), 0, 2_001).Should().BeNull();
        room.FirstSequence.Should().Be(1);
        room.Head.Should().Be(2_000);
    }

    private static ChatRecord Record(RecordKind kind, string userId, string id = "id") => new(kind, "r", userId, id, "text", DateTimeOffset.UnixEpoch);
}
