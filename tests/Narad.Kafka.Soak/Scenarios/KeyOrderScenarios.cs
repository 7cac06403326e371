using System.Diagnostics;
using Narad.Kafka.Soak.Verification;
using Narad.Kafka.Soak.Load;

namespace Narad.Kafka.Soak.Scenarios;

/// <summary>
/// Failing messages that hold back their key, while members come and go, processes are killed and processes stand still. What happens when is drawn from the
/// seed before it begins.
/// </summary>
internal static class KeyOrderScenarios
{
    private const int Kills = 10;
    private const int Stops = 4;
    private const int Processes = 2;

    public static Scenario For(string name, string outcome, KafkaGroupProtocol protocol) => new(name, outcome, run => RunAsync(run, protocol))
    {
        Topics = 1,
        Keys = 50,
        Rate = 200,
        Work = seed => new KeyOrderWork(seed, protocol),
        FinishAsync = FinishAsync,
    };

    private enum What
    {
        JoinOrLeave,
        Kill,
        Start,
        Stop,
        Continue,
    }

    private static async Task RunAsync(TestRun run, KafkaGroupProtocol protocol)
    {
        if (protocol is KafkaGroupProtocol.Consumer)
        {
            await run.Cluster.SetSessionAsync(run.Group, MemberOptions.Session);
        }

        var plan = Plan(run.Random);
        var children = new ChildMember?[Processes];
        var coming = new Member?[] { await run.JoinAsync(), await run.JoinAsync() };
        for (var at = 0; at < Processes; at++)
        {
            children[at] = run.StartChild();
        }

        await run.SendAsync();
        var started = DateTime.UtcNow;
        var (kills, stops, changes) = (0, 0, 0);
        foreach (var (when, what, which) in plan)
        {
            var wait = started + when - DateTime.UtcNow;
            if (wait > TimeSpan.Zero)
            {
                await Task.Delay(wait);
            }

            switch (what)
            {
                case What.JoinOrLeave when coming[which] is { } member:
                    var report = await run.LeaveAsync(member);
                    coming[which] = null;
                    changes++;
                    run.Say($"m{member.Number} left{string.Concat(report.Abandoned.Select(left => $"; abandoned {left}"))}");
                    break;
                case What.JoinOrLeave:
                    coming[which] = await run.JoinAsync();
                    changes++;
                    run.Say($"m{coming[which]!.Number} joined");
                    break;
                case What.Kill:
                    var number = run.Children.Single(one => one.Child == children[which]).Number;
                    await run.KillAsync(children[which]!);
                    children[which] = null;
                    kills++;
                    run.Say($"m{number} was killed ({kills}); {run.Status()}");
                    break;
                case What.Start:
                    children[which] = run.StartChild();
                    run.Say($"m{run.Children[^1].Number} starts");
                    break;
                case What.Stop:
                    await run.StopAsync(children[which]!);
                    run.Say($"m{run.Children.Single(one => one.Child == children[which]).Number} stands still");
                    break;
                default:
                    await run.ContinueAsync(children[which]!);
                    stops++;
                    break;
            }
        }

        run.Say($"{(DateTime.UtcNow - started).TotalSeconds:0} s: killed {kills} times, stood still beyond the session {stops} times, joined or left "
            + $"{changes} times");
        run.Check(kills == Kills && stops == Stops, $"{Kills} kills and {Stops} stops came about");
    }

    // A fault every 12 to 18 s, one process at a time; two members join or leave every 3 to 8 s all the while.
    private static List<(TimeSpan When, What What, int Which)> Plan(Random random)
    {
        var faults = Enumerable.Repeat(What.Kill, Kills).Concat(Enumerable.Repeat(What.Stop, Stops)).ToArray();
        random.Shuffle(faults);
        var plan = new List<(TimeSpan When, What What, int Which)>();
        var at = TimeSpan.FromSeconds(8);
        foreach (var fault in faults)
        {
            var which = random.Next(Processes);
            plan.Add((at, fault, which));
            plan.Add(fault is What.Kill ? (at + Between(random, 1, 4), What.Start, which)
                : (at + MemberOptions.Session + Between(random, 2, 5), What.Continue, which));
            at += Between(random, 12, 18);
        }

        for (var change = Between(random, 3, 8); change < at; change += Between(random, 3, 8))
        {
            plan.Add((change, What.JoinOrLeave, random.Next(2)));
        }

        return [.. plan.OrderBy(step => step.When)];
    }

    private static TimeSpan Between(Random random, int least, int most) => TimeSpan.FromMilliseconds(random.Next(least * 1_000, most * 1_000));

    public static async Task<IVerdict> FinishAsync(TestRun run)
    {
        var (failures, records, retries, deadLetters) = await FailingHandlers.AddUpAsync(run);

        // What it had under way when it was stopped is written when it continues.
        var told = new Windows(run.Recorder.Zombies.Select(zombie => (zombie.From - (Stopwatch.Frequency / 10), zombie.To)));
        var order = Verification.KeyOrder.Of(
            run.Work!.Fates,
            [.. records.Select(record => record.Place)],
            run.Recorder.Invocations,
            Numbers(deadLetters),
            run.Recorder.Zombies,
            Numbers(retries.Where(copy => told.Contains(copy.Written))));
        return new KeyOrderVerdict(failures, order);
    }

    private static HashSet<(int Key, int Sequence)> Numbers(IEnumerable<ForwardedRecord> records) =>
        [.. records.Select(record => (record.Place.Key, record.Place.Sequence))];
}
