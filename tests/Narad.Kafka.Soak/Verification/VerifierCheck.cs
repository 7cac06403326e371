using Narad.Kafka.Soak.Load;

namespace Narad.Kafka.Soak.Verification;

/// <summary>Shows the verifiers records with known faults in them, and sees whether they find these and no others. Needs no broker.</summary>
internal static class VerifierCheck
{
    private const int Key = 7;
    private const int Messages = 12;

    private static readonly Fates s_fates = new(
        0, [TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2)], [(100, FateKind.Fails, 2), (100, FateKind.Recovers, 1)], 1);
    private static readonly Work s_numbers = new FailingWork();

    private static bool s_all;

    public static bool Run()
    {
        s_all = true;
        Order();
        Once();
        Console.WriteLine(s_all ? "The verifiers find what is wrong, and nothing else." : "A verifier is wrong.");
        return s_all;
    }

    // ── the order of keys ─────────────────────────────────────────────────────────────────────────────────────────────
    private static void Order()
    {
        var plain = Enumerable.Range(0, Messages).ToArray();
        Verify("a log in order", Done(plain), none => none);
        Verify("a repeat, and everything again behind it", Done([.. plain[..8], .. plain[5..]]), none => none);
        Verify("a message twice in a row", Done([.. plain[..4], 3, .. plain[4..]]), none => none);
        Verify("a success that is skipped, and comes later", Done([0, 1, 3, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]), none => none with { Skipped = 1, Overtook = 1 });
        Verify("a success that never comes", Done([0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11]), none => none with { Skipped = 1 });
        Verify("the first message skipped", Done([1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]), none => none with { Skipped = 1, Overtook = 1 });
        Verify("a repeat alone", Done([0, 1, 2, 3, 4, 5, 2, 6, 7, 8, 9, 10, 11]), none => none with { NotFollowed = 1 });
        Verify("a dead letter in between", Done([0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11]), none => none, dead: [4]);
        Verify("a skip over a dead letter and a message", Done([0, 1, 2, 3, 6, 5, 6, 7, 8, 9, 10, 11]), none =>
            none with { Skipped = 1, Overtook = 1 }, dead: [4]);

        var failing = Enumerable.Range(0, 1_000).First(key => s_fates.Of(key, 2).IsDeadLetter);
        var before = Done([0, 1], failing);
        Invocation[] failures = [.. Enumerable.Range(0, 3).Select(retry => One(failing, 2, 100 + (retry * 100), retry: retry, failed: true))];
        Verify("a message behind one that becomes a dead letter", [.. before, .. failures, One(failing, 3, 400)], none =>
            none, dead: [2], key: failing, count: 4);
        Verify("a message before another has become a dead letter", [.. before, .. failures, One(failing, 3, 250)], none =>
            none with { Overtook = 1 }, dead: [2], key: failing, count: 4);

        var atOnce = Done(plain);
        atOnce[5] = atOnce[5] with { Handling = atOnce[5].Handling with { Finished = atOnce[6].Handling.Started + 3, Member = 2 } };
        Verify("two handlers of a key at once", atOnce, none => none with { AtOnce = 1, Overtook = 1 });

        // Member 9 stands still in the middle of number 3, and finishes it when the others are at 9.
        Invocation late = One(Key, 3, 30) with { Handling = new Handling(Key, 3, 9, 30, 95) };
        Invocation[] withZombie = [.. Done(plain), late];
        Verify("a process that stood still finishes late", withZombie, none =>
            none with { ByZombies = 1, AtOnceWithZombies = 7 }, zombies: [new Zombie(9, 40, 90, 100)]);
        Verify("the same where it did not stand still", withZombie, none => none with { NotFollowed = 1, AtOnce = 7 });
        var again = Enumerable.Range(0, 1_000).First(key => s_fates.Of(key, 3).Kind is FateKind.Recovers);
        Invocation[] forwardedBefore =
        [
            .. Done([0, 1, 2], again), One(again, 3, 30, failed: true), One(again, 3, 40, retry: 1), One(again, 4, 50), One(again, 5, 60),
            One(again, 3, 70, failed: true) with { Handling = new Handling(again, 3, 9, 70, 72) }, One(again, 3, 80, retry: 1), One(again, 6, 90),
        ];
        Verify("a copy that it wrote is handled alone", forwardedBefore, none =>
            none with { ByZombies = 1, NotFollowed = 1, AfterZombies = 1 }, zombies: [new Zombie(9, 65, 70, 75)], key: again, count: 7, stale: [3]);
        Verify("the same where it did not stand still", forwardedBefore, none => none with { NotFollowed = 1 }, key: again, count: 7);
        Verify("a message that nobody but it handled", [.. Done(plain).Where(one => one.Handling.Sequence != 3), late], none =>
            none with { ByZombies = 1, AtOnceWithZombies = 6, Skipped = 1 }, zombies: [new Zombie(9, 40, 90, 100)]);
    }

    private static Invocation[] Done(int[] sequences, int key = Key) => [.. sequences.Select((sequence, at) => One(key, sequence, at * 10))];

    private static Invocation One(int key, int sequence, long at, int retry = 0, bool failed = false) =>
        new(new Handling(key, sequence, 1, at, at + 5), retry, 1, failed, at, "t[0]", sequence);

    private static void Verify(string what, Invocation[] invocations, Func<Found, Found> expected, int[]? dead = null, Zombie[]? zombies = null, int key = Key,
        int count = Messages, int[]? stale = null)
    {
        var order = KeyOrder.Of(
            s_fates, [.. Enumerable.Range(0, count).Select(sequence => new LogRecord("t[0]", sequence, key, sequence))], invocations, (dead ?? [])
                .Select(sequence => (key, sequence)).ToHashSet(), zombies ?? [], (stale ?? []).Select(sequence => (key, sequence)).ToHashSet());
        Expect(what, expected(new Found(0, 0, 0, 0, 0, 0, 0)),
            new Found(order.Skipped, order.NotFollowed, order.Overtook, order.AtOnce, order.ByZombies, order.AtOnceWithZombies, order.NotFollowedAfterZombies),
            order.Examples);
    }

    // ── exactly once ──────────────────────────────────────────────────────────────────────────────────────────────────
    private static void Once()
    {
        Verification("each message has one output or one dead letter", _ => { }, none => none);
        Verification("an output is missing", recorders => recorders.Outputs.RemoveAt(3), none => none with { Missing = 1 });
        Verification("an acknowledged message is not in the topic", recorders => recorders.Drop(recorders.Outputs[3]), none => none with { Missing = 1 });
        Verification("an output is there twice", recorders => recorders.Outputs.Insert(4, recorders.Outputs[3]), none => none with { Duplicates = 1 });
        Verification("a dead letter is there twice", recorders => recorders.DeadLetters.Add(recorders.DeadLetters[0]), none => none with { Duplicates = 1 });
        Verification("a dead letter is missing", recorders => recorders.DeadLetters.RemoveAt(0), none => none with { Missing = 1 });
        Verification("an output of a message that is a dead letter as well", recorders => recorders.Append(recorders.DeadLetters[0]), none =>
            none with { Both = 1, Wrong = 1 });
        Verification("a dead letter of a message that has an output as well", recorders =>
            recorders.DeadLetters.Add(recorders.Outputs[0] with { Origin = recorders.Outputs[0].Name.Replace("out", "t", StringComparison.Ordinal) }), none =>
            none with { Both = 1, Wrong = 1 });
        Verification("a dead letter that is not its message", recorders => recorders.DeadLetters[0] = recorders.DeadLetters[0] with { Value = [1] }, none =>
            none with { Wrong = 1 });
        Verification("two outputs of a key in the wrong order", recorders => recorders.Swap(3, 4), none => none with { Wrong = 1 });
    }

    private static void Verification(string what, Action<OnceRecords> spoil, Func<FoundOnce, FoundOnce> expected)
    {
        var recorders = new OnceRecords();
        spoil(recorders);
        var verdict = OnceVerdict.Of(recorders.Recorder, s_fates, recorders.Records, recorders.Outputs, recorders.DeadLetters, []);
        Expect(what, expected(new FoundOnce(0, 0, 0, 0)), new FoundOnce(verdict.Missing, verdict.Duplicates, verdict.Both, verdict.Wrong), verdict.Examples);
    }

    private static void Expect<T>(string what, T expected, T found, IReadOnlyList<string> examples)
    {
        var same = EqualityComparer<T>.Default.Equals(expected, found);
        s_all &= same;
        Console.WriteLine(same ? $"  yes: {what}: {found}"
            : $"  NO: {what}: {expected} was expected, and it found {found}{string.Concat(examples.Select(example => $"\n    {example}"))}");
    }

    private sealed record Found(int Skipped, int NotFollowed, int Overtook, int AtOnce, int ByZombies, int AtOnceWithZombies, int AfterZombies);

    private sealed record FoundOnce(int Missing, int Duplicates, int Both, int Wrong);

    /// <summary>One key of a hundred messages, all as it should be.</summary>
    private sealed class OnceRecords
    {
        public OnceRecords()
        {
            for (var message = 0; message < 100; message++)
            {
                var sequence = Recorder.Next(0);
                Recorder.Settle(0, sequence, SendOutcome.Acknowledged);
                var record = new ForwardedRecord(new LogRecord("t[0]", sequence, 0, sequence), [0], s_numbers.Bytes("run", 0, sequence), 0, null, 0, 0);
                Records.Add(record);
                if (s_fates.Of(0, sequence).IsDeadLetter)
                {
                    DeadLetters.Add(record with { Place = new LogRecord("dead[0]", DeadLetters.Count, 0, sequence), Origin = record.Name });
                }
                else
                {
                    Append(record);
                }
            }
        }

        public Recorder Recorder { get; } = new(1);

        public List<ForwardedRecord> Records { get; } = [];

        public List<ForwardedRecord> Outputs { get; } = [];

        public List<ForwardedRecord> DeadLetters { get; } = [];

        public void Append(ForwardedRecord record) =>
            Outputs.Add(record with { Place = new LogRecord("out[0]", record.Place.Sequence, 0, record.Place.Sequence) });

        public void Drop(ForwardedRecord output)
        {
            Outputs.Remove(output);
            Records.RemoveAll(record => record.Place.Sequence == output.Place.Sequence);
        }

        public void Swap(int one, int other)
        {
            var (first, second) = (Outputs[one], Outputs[other]);
            Outputs[one] = second with { Place = second.Place with { Offset = first.Place.Offset } };
            Outputs[other] = first with { Place = first.Place with { Offset = second.Place.Offset } };
        }
    }
}
