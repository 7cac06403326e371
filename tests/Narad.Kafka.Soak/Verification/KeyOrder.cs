using System.Diagnostics;
using System.Globalization;

namespace Narad.Kafka.Soak.Verification;

/// <summary>
/// The order of each key's successful handlings over time, by the one clock that all processes share, against the order of its messages in the topic. A
/// message's rank is its place among its key's messages; dead letters are left out.
/// <list type="bullet">
/// <item>Skipped: a success whose rank is higher than that of the next message after the success before it, while one in between had not been handled by then.
/// Order is broken.</item>
/// <item>Not followed: the same where all in between had been handled before. A message was handled again, alone: what is behind it was not handled again in
/// order.</item>
/// <item>Overtook: the first invocation of a message began before an earlier one of its key was handled, or had failed for the last time.</item>
/// <item>At once: two handlers of one key ran at the same time, in one member or in two.</item>
/// </list>
/// What a process did that had stood still beyond its session (<see cref="Zombie"/>) is counted apart: its partitions were another member's, and nobody could
/// tell it yet. So is what follows from what it wrote then: whoever reads that first takes it for a message of its own time.
/// </summary>
internal sealed class KeyOrder
{
    private const int Around = 6;

    private readonly List<string> _examples = [];

    public int Skipped { get; private set; }

    public int NotFollowed { get; private set; }

    /// <summary>How many of these are messages of which a process that had stood still wrote a copy.</summary>
    public int NotFollowedAfterZombies { get; private set; }

    public int Overtook { get; private set; }

    public int AtOnce { get; private set; }

    public int ByZombies { get; private set; }

    public int AtOnceWithZombies { get; private set; }

    public int Keys { get; private set; }

    public int Successes { get; private set; }

    public bool IsClean => Skipped == 0 && NotFollowed == NotFollowedAfterZombies && Overtook == 0 && AtOnce == 0;

    public IReadOnlyList<string> Examples => _examples;

    /// <param name="fates">Which messages fail.</param>
    /// <param name="records">What the topics hold, each log in the order of its offsets. A key whose partition changed is in two logs, and in order in
    /// each.</param>
    /// <param name="invocations">What was handled, in any order.</param>
    /// <param name="deadLetters">What is in the dead-letter topics.</param>
    /// <param name="zombies">Processes that stood still.</param>
    /// <param name="stale">Messages of which such a process wrote a copy before it was told.</param>
    public static KeyOrder Of(
        Fates fates, IReadOnlyList<LogRecord> records, IReadOnlyCollection<Invocation> invocations, IReadOnlySet<(int Key, int Sequence)> deadLetters,
            IReadOnlyCollection<Zombie> zombies,
        IReadOnlySet<(int Key, int Sequence)> stale)
    {
        var order = new KeyOrder();
        var byKey = invocations.ToLookup(one => one.Handling.Key);
        foreach (var key in records.GroupBy(record => (record.Log, record.Key)))
        {
            var sequences = key.OrderBy(record => record.Offset).Select(record => record.Sequence).Distinct().ToArray();
            order.Verify(fates, key.Key.Key, sequences, byKey[key.Key.Key], deadLetters, zombies, stale);
        }

        return order;
    }

    public override string ToString() =>
        $"""
          {Successes} successes of {Keys} keys in their order: skipped {Skipped}, not followed {NotFollowed} ({NotFollowedAfterZombies} after a record of a process that had stood still), overtook {Overtook}, at once {AtOnce}
          by processes that had stood still beyond their session: {ByZombies} invocations, at once with another member's {AtOnceWithZombies}
        """;

    private void Verify(Fates fates, int key, int[] sequences, IEnumerable<Invocation> invocations, IReadOnlySet<(int, int)> deadLetters,
        IReadOnlyCollection<Zombie> zombies, IReadOnlySet<(int, int)> stale)
    {
        Keys++;
        var ranks = sequences.Index().ToDictionary(one => one.Item, one => one.Index);
        var all = invocations.Where(one => ranks.ContainsKey(one.Handling.Sequence)).OrderBy(one => one.Handling.Finished)
            .Select(one => new Done(one, ranks[one.Handling.Sequence], zombies.Any(zombie => zombie.Did(one.Handling)))).ToList();
        ByZombies += all.Count(one => one.ByZombie);
        bool IsDead(int rank) => deadLetters.Contains((key, sequences[rank]));
        Follow(key, all, sequences.Length, IsDead, rank => stale.Contains((key, sequences[rank])));
        Overtakes(key, all, sequences.Length, one => !one.Failed
            || (fates.Of(key, one.Handling.Sequence) is { IsDeadLetter: true } fate && one.Retry >= fate.Retries && one.Attempt >= fate.Invocations));
        Overlaps(key, all);
    }

    // After a success the next one is at most of the next message that is no dead letter.
    private void Follow(int key, List<Done> all, int count, Func<int, bool> isDead, Func<int, bool> isStale)
    {
        var handled = new bool[count];
        var last = -1;
        foreach (var (at, one) in all.Index().Where(one => !one.Item.ByZombie && !one.Item.What.Failed))
        {
            Successes++;
            var between = Enumerable.Range(last + 1, Math.Max(0, one.Rank - last - 1)).Where(rank => !isDead(rank)).ToList();
            var missing = between.FindAll(rank => !handled[rank]);
            if (missing.Count > 0)
            {
                Skipped++;
                Example($"SKIPPED: key {key}, rank {one.Rank} was handled after rank {last}, and {Some(missing)} never before", all, at);
            }
            else if (between.Count > 0)
            {
                var afterZombie = last >= 0 && isStale(last);
                NotFollowed++;
                NotFollowedAfterZombies += afterZombie ? 1 : 0;
                Example($"NOT FOLLOWED{(afterZombie ? ", after a record of a process that had stood still" : "")}: key {key}, rank {last} was handled again, "
                    + $"and then rank {one.Rank} without {Some(between)}", all, at);
            }

            handled[one.Rank] = true;
            last = one.Rank;
        }
    }

    // No message is begun before all in front of it are done, whatever became of them.
    private void Overtakes(int key, List<Done> all, int count, Func<Invocation, bool> settles)
    {
        var begun = new Done?[count];
        var settled = new long[count];
        foreach (var one in all.Where(one => !one.ByZombie))
        {
            if (begun[one.Rank] is not { } first || one.What.Handling.Started < first.What.Handling.Started)
            {
                begun[one.Rank] = one;
            }

            if (settled[one.Rank] == 0 && settles(one.What))
            {
                settled[one.Rank] = one.What.Handling.Finished;
            }
        }

        var (latest, which) = (0L, -1);
        for (var rank = 0; rank < count; rank++)
        {
            if (begun[rank] is { } first && first.What.Handling.Started < latest)
            {
                Overtook++;
                Example($"OVERTOOK: key {key}, rank {rank} was begun before rank {which} was done with", all, all.IndexOf(first));
            }

            if (settled[rank] > latest)
            {
                (latest, which) = (settled[rank], rank);
            }
        }
    }

    private void Overlaps(int key, List<Done> all)
    {
        Done? longest = null;
        foreach (var one in all.OrderBy(one => one.What.Handling.Started))
        {
            if (longest is { } other && one.What.Handling.Started < other.What.Handling.Finished)
            {
                if (one.ByZombie || other.ByZombie)
                {
                    AtOnceWithZombies++;
                }
                else
                {
                    AtOnce++;
                    Example($"AT ONCE: key {key}, rank {other.Rank} in member {other.What.Handling.Member} and rank {one.Rank} in member "
                        + $"{one.What.Handling.Member}", all, all.IndexOf(one));
                }
            }

            if (longest is null || one.What.Handling.Finished > longest.What.Handling.Finished)
            {
                longest = one;
            }
        }
    }

    // With what happened to the key around it.
    private void Example(string text, List<Done> all, int at)
    {
        if (_examples.Count < 10)
        {
            _examples.Add(text
                + string.Concat(all.Skip(at - Around).Take((2 * Around) + 1).Select(one => $"\n        {(ReferenceEquals(one, all[at]) ? '>' : ' ')} {one}")));
        }
    }

    private static string Some(List<int> ranks) =>
        $"rank {string.Join(", ", ranks.Take(5))}{(ranks.Count > 5 ? string.Create(CultureInfo.InvariantCulture, $" … ({ranks.Count})") : "")}";

    private sealed record Done(Invocation What, int Rank, bool ByZombie)
    {
        public override string ToString()
        {
            var began = DateTimeOffset.FromUnixTimeMilliseconds(What.At);
            var took = Stopwatch.GetElapsedTime(What.Handling.Started, What.Handling.Finished);
            return string.Create(
                CultureInfo.InvariantCulture,
                $"{began:HH:mm:ss.fff} to {began + took:HH:mm:ss.fff} member {What.Handling.Member}{(ByZombie ? " (had stood still)" : "")} rank {Rank}, "
                    + $"number {What.Handling.Sequence} #{What.Retry}.{What.Attempt} {(What.Failed ? "failed" : "handled")}, {What.Log}@{What.Offset}");
        }
    }
}
