using System.Diagnostics;
using System.Text;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Narad.Kafka.Soak.Verification;
using Narad.Kafka.Soak.Cluster;
using Narad.Kafka.Soak.Load;

namespace Narad.Kafka.Soak.Scenarios;

/// <summary>
/// One run: its topics, its group, its recorder, its senders and members, and what its scenario found besides. Members join and leave from one task at a time.
/// </summary>
internal sealed class TestRun : IAsyncDisposable
{
    private static readonly TimeSpan NoProgress = TimeSpan.FromSeconds(90);

    // After a fault the group needs a session, and the client its backoff; after a change of its members, a rebalance.
    private static readonly TimeSpan AfterFault = MemberOptions.Session + TimeSpan.FromSeconds(6);
    private static readonly TimeSpan AfterChange = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan UntilTold = TimeSpan.FromSeconds(10);

    private readonly List<Member> _members = [];
    private readonly Dictionary<ChildMember, long> _stopped = [];
    private readonly List<(int Number, ChildMember Child)> _children = [];
    private readonly List<LogRecord> _records = [];
    private readonly HashSet<(int, int)> _deleted = [];
    private readonly List<string> _failed = [];
    private readonly Action<KafkaOptions>? _configure;
    private Senders? _senders;
    private int _number;
    private int _read;   // how many incarnations of the topics were read

    private TestRun(KafkaCluster cluster, EventLog events, Scenario scenario, int seed, int rate)
    {
        Cluster = cluster;
        Events = events;
        Random = new Random(seed);
        Rate = rate;
        Run = $"{scenario.Name}-{Guid.NewGuid().ToString("N")[..8]}";
        Group = $"narad-soak-{Run}";
        Topics = [.. Enumerable.Range('a', scenario.Topics).Select(letter => $"narad-soak-{Run}-{(char)letter}")];
        Work = scenario.Work?.Invoke(seed);
        _configure = scenario.Configure;
        RetryTopics = Work is { HasRetryTopics: true } ? [.. Topics.Select(topic => $"{topic}-retry")] : [];
        OutputTopics = Work is { HasOutputs: true } ? [.. Topics.Select(Work.Output)] : [];
        DeadLetterTopics = Work is not null ? [.. Topics.Select(topic => $"{topic}-dlt")] : [];
        Recorder = new Recorder(scenario.Keys);
        Events.Seen = name =>
        {
            if (EventLog.Uncommitted(name) is { } before)
            {
                Recorder.FaultAt(Stopwatch.GetTimestamp(), before);
            }
        };
    }

    public KafkaCluster Cluster { get; }

    public EventLog Events { get; }

    public Random Random { get; }

    /// <summary>Messages a second, of all senders.</summary>
    public int Rate { get; }

    public string Run { get; }

    public long Started { get; } = Stopwatch.GetTimestamp();

    public string Group { get; }

    public IReadOnlyList<string> Topics { get; }

    /// <summary>What handlers do where messages fail; null: none does.</summary>
    public Work? Work { get; }

    /// <summary>Where they wait then: the library makes these topics.</summary>
    public IReadOnlyList<string> RetryTopics { get; }

    public IReadOnlyList<string> DeadLetterTopics { get; }

    public IReadOnlyList<string> OutputTopics { get; }

    public Recorder Recorder { get; }

    public IReadOnlyList<Member> Members => _members;

    public IReadOnlyList<(int Number, ChildMember Child)> Children => _children;

    public IReadOnlyList<string> Failed => _failed;

    public static async Task<TestRun> CreateAsync(KafkaCluster cluster, EventLog events, Scenario scenario, int seed, int rate)
    {
        var run = new TestRun(cluster, events, scenario, seed, rate);
        bool IsUnclean(string topic) => scenario.Unclean is { } end && topic.EndsWith(end, StringComparison.Ordinal);
        foreach (var topic in run.Topics.Concat(run.OutputTopics).Concat(run.RetryTopics.Where(IsUnclean)))
        {
            await cluster.CreateTopicAsync(topic, scenario.Partitions, IsUnclean(topic));
        }

        return run;
    }

    public string TopicOf(int key) => Topics[key % Topics.Count];

    public IReadOnlyList<string> AllTopics => [.. Topics, .. OutputTopics, .. RetryTopics, .. DeadLetterTopics];

    private byte[] Bytes(int key, int sequence) => Work?.Bytes(Run, key, sequence) ?? Encoding.UTF8.GetBytes(Numbered.Text(Run, key, sequence));

    public void Say(string text)
    {
        Console.WriteLine($"  {DateTime.UtcNow:HH:mm:ss} {text}");
        Events.Note(text);
    }

    /// <summary>A stated outcome: what does not hold fails the run.</summary>
    public void Check(bool holds, string statement)
    {
        Say($"{(holds ? "yes" : "NO")}: {statement}");
        if (!holds)
        {
            _failed.Add(statement);
        }
    }

    public KafkaService NewService(int number, Action<KafkaOptions>? configure = null) =>
        new(MemberOptions.For(Cluster.Brokers, number, _configure + configure), Events.For($"m{number}"));

    /// <summary>Sends from now on, until it is stopped or has sent so many.</summary>
    public async Task SendAsync(int tasks = 8, int most = int.MaxValue) =>
        _senders = await Senders.StartAsync(NewService(0), Recorder, TopicOf, Bytes, tasks, Rate, most);

    /// <summary>Sends this many messages, or to these keys one each, and waits for all of them.</summary>
    public async Task SendAllAsync(int messages, int filling = 0)
    {
        await using var service = NewService(0);
        await service.ConnectProducerAsync();
        foreach (var chunk in Enumerable.Range(0, messages).Select(number => number % Recorder.Keys).Chunk(5_000))
        {
            var sends = new List<(int Key, int Sequence, Task Sending)>();
            foreach (var key in chunk)
            {
                var sequence = Recorder.Next(key);
                sends.Add((key, sequence, service.SendAsync(TopicOf(key), Numbered.Text(Run, key, sequence, filling), key).AsTask()));
            }

            foreach (var (key, sequence, sending) in sends)
            {
                await sending;
                Recorder.Settle(key, sequence, SendOutcome.Acknowledged);
            }
        }
    }

    public async Task StopSendingAsync()
    {
        if (_senders is { } senders)
        {
            await senders.StopAsync();
        }
    }

    public async Task<Member> JoinAsync(
        Action<KafkaOptions>? configure = null, Func<int, int, CancellationToken, Task>? work = null, Action<SubscriptionOptions>? subscription = null)
    {
        var number = ++_number;
        var began = Stopwatch.GetTimestamp();
        var member = Work is not null
            ? await Member.StartAsync(number, NewService(number, Work.Configure + configure), Group, Topics, Work, Recorder.Invoke)
            : await Member.StartAsync(number, NewService(number, configure), Group, Topics, Recorder.Handle, work ?? Member.Short, subscription);
        Recorder.Disturb(began, AfterChange);
        _members.Add(member);
        return member;
    }

    public async Task<DisconnectReport> LeaveAsync(Member member)
    {
        _members.Remove(member);
        var began = Stopwatch.GetTimestamp();
        var report = await member.Service.DisconnectAsync();
        Recorder.Disturb(began, AfterChange);
        return report;
    }

    /// <param name="identity">Whom it is to be, also after a restart; null: somebody new.</param>
    public ChildMember StartChild(string? identity = null)
    {
        var number = ++_number;
        var child = ChildMember.Start(number, Cluster.Brokers, Group, Topics, $"{Events.File}.m{number}", Work, identity);
        Recorder.Disturb(Stopwatch.GetTimestamp(), AfterChange + AfterChange);   // it is a process that starts first
        _children.Add((number, child));
        return child;
    }

    /// <summary>Kills a consuming process, and takes over its recorder.</summary>
    public async Task KillAsync(ChildMember child)
    {
        await child.KillAsync();
        Recorder.FaultAt(Stopwatch.GetTimestamp(), Recorder.BeforeFault);
        Recorder.Disturb(Stopwatch.GetTimestamp(), AfterFault);
        Collect();
        _children.RemoveAll(other => other.Child == child);
        await child.DisposeAsync();
    }

    /// <summary>A consuming process stands still, until it is told to continue.</summary>
    public async Task StopAsync(ChildMember child)
    {
        await child.StopAsync();
        _stopped[child] = Stopwatch.GetTimestamp();
    }

    /// <summary>It continues after more than a session, and does not know yet that its partitions are another member's.</summary>
    public async Task ContinueAsync(ChildMember child)
    {
        _stopped.Remove(child, out var from);
        var number = _children.Single(one => one.Child == child).Number;
        var continued = Stopwatch.GetTimestamp();
        await child.ContinueAsync();
        long? told = null;
        while (told is null && Stopwatch.GetElapsedTime(continued) < UntilTold)
        {
            await Task.Delay(100);
            Collect();
            told = Recorder.ToldSince(number, from + (Stopwatch.Frequency / 10));
        }

        Recorder.Zombie(new Zombie(number, from, continued, (told ?? Stopwatch.GetTimestamp()) + (Stopwatch.Frequency / 10)));
        Recorder.Disturb(from, AfterFault);
        var news = told is { } at
            ? $"was told {Stopwatch.GetElapsedTime(continued, at).TotalSeconds:0.000} s later that its partitions are another's"
            : $"was not told within {UntilTold.TotalSeconds:0} s";
        Say($"m{number} stood still for {Stopwatch.GetElapsedTime(from, continued).TotalSeconds:0.0} s; {news}; {Status()}");
    }

    /// <summary>A broker is broken, stays so for a while, and comes back; what is handled meanwhile may be handled again.</summary>
    public async Task BreakAsync(string action, int broker, TimeSpan time, Func<Task>? meanwhile = null)
    {
        var began = Stopwatch.GetTimestamp();
        Say($"{action} broker {broker} for {time.TotalSeconds:0} s");
        await Cluster.BrokerAsync(action, broker);
        await Task.WhenAll(Task.Delay(time), meanwhile?.Invoke() ?? Task.CompletedTask);
        await Cluster.RepairAsync(AllTopics);
        Recorder.Fault(began, Recorder.BeforeFault, AfterFault);
        Say($"broker {broker} is back after {Stopwatch.GetElapsedTime(began).TotalSeconds:0.0} s, all replicas in sync; {Status()}");
    }

    public string Status() => $"acknowledged {Recorder.Acknowledged} of {Recorder.Sent}, handled {Recorder.Handled}";

    public void Collect()
    {
        foreach (var (number, child) in _children)
        {
            child.Collect(number, Recorder);
        }
    }

    /// <summary>Reads what the topics hold now, once for each time they were created; <paramref name="again"/>: more than at the last reading.</summary>
    public async Task ReadAsync(bool again = false)
    {
        if (again)
        {
            _records.RemoveAll(record => record.Log.EndsWith($"#{_read}", StringComparison.Ordinal));
        }
        else
        {
            _read++;
        }

        _records.AddRange(await TopicReader.ReadAsync(Cluster, Topics, _read));
    }

    /// <summary>What the topics hold or held, as far as it was read.</summary>
    public IReadOnlyList<LogRecord> Records => _records;

    /// <summary>Whether it was handled, or deleted before.</summary>
    public bool IsDone(LogRecord record) => Recorder.IsHandled(record.Key, record.Sequence) || _deleted.Contains((record.Key, record.Sequence));

    /// <summary>Messages that were deleted on purpose before they were handled.</summary>
    public IReadOnlySet<(int Key, int Sequence)> Deleted => _deleted;

    public void Delete(IEnumerable<LogRecord> records) => _deleted.UnionWith(records.Select(record => (record.Key, record.Sequence)));

    /// <summary>Waits until all members are healthy, or one of them is not and says this.</summary>
    public async Task BecomesAsync(string? says, TimeSpan limit)
    {
        var started = Stopwatch.GetTimestamp();
        var last = "";
        while (Stopwatch.GetElapsedTime(started) < limit)
        {
            var found = new List<(int Member, HealthCheckResult Health)>();
            foreach (var member in _members)
            {
                found.Add((member.Number, await member.HealthAsync()));
            }

            var bad = found.FindAll(static one => one.Health.Status is not HealthStatus.Healthy);
            last = string.Join("; ", bad.Select(static one => $"m{one.Member} {one.Health.Status}: {one.Health.Description}"));
            if (says is null ? bad.Count == 0 : last.Contains(says, StringComparison.Ordinal))
            {
                Check(true,
                    $"health after {Stopwatch.GetElapsedTime(started).TotalSeconds:0.0} s: "
                        + $"{(says is null ? "all healthy" : last[..Math.Min(last.Length, 400)])}; {Status()}");
                return;
            }

            await Task.Delay(100);
        }

        Check(false, $"health becomes {says ?? "healthy"} within {limit.TotalSeconds:0} s, and is '{last[..Math.Min(last.Length, 1_000)]}'; {Status()}");
    }

    /// <summary>Waits until everything that was read from the topics is handled; gives up when nothing is handled any more.</summary>
    public async Task SettleAsync()
    {
        var wanted = _records.Select(record => (record.Key, record.Sequence)).Where(message => !_deleted.Contains(message)).Distinct().ToList();
        var progressed = Stopwatch.GetTimestamp();
        while (true)
        {
            Collect();
            var left = wanted.RemoveAll(message => Recorder.IsHandled(message.Key, message.Sequence));
            if (wanted.Count == 0)
            {
                return;
            }

            if (left > 0)
            {
                progressed = Stopwatch.GetTimestamp();
            }
            else if (Stopwatch.GetElapsedTime(progressed) > NoProgress)
            {
                Say($"{wanted.Count} message(s) are not handled, and nothing was handled for {NoProgress.TotalSeconds} s");
                return;
            }

            await Task.Delay(200);
        }
    }

    /// <summary>Stops the load, reads the topics, lets the members finish and leave, and adds up.</summary>
    public async Task<Verdict> FinishAsync()
    {
        await EndLoadAsync();
        if (_read == 0 || _senders is not null)
        {
            await ReadAsync();
        }

        await SettleAsync();
        await LeaveAllAsync();
        await CheckCommittedAsync(Group, Topics, _records.Where(record => record.Log.EndsWith($"#{_read}", StringComparison.Ordinal))
            .GroupBy(record => record.Log[..record.Log.IndexOf('#', StringComparison.Ordinal)], StringComparer.Ordinal)
            .ToDictionary(log => log.Key, log => log.Max(record => record.Offset) + 1, StringComparer.Ordinal));
        return Verdict.Of(Recorder, _records, _deleted);
    }

    /// <summary>Sends nothing more, and brings back what is broken.</summary>
    public async Task EndLoadAsync()
    {
        await StopSendingAsync();
        await Cluster.RepairAsync(AllTopics);
        Say($"the load ended: {Status()}");
    }

    /// <summary>All members leave, in good order.</summary>
    public async Task LeaveAllAsync()
    {
        foreach (var stopped in _members.SelectMany(member => member.Stopped))
        {
            Check(false, $"nothing is stopped: {stopped.Partition} at offset {stopped.Offset}: {stopped.Reason.Message}");
        }

        foreach (var member in _members.ToList())
        {
            var report = await LeaveAsync(member);
            Check(report.Abandoned.Count == 0,
                $"member {member.Number} leaves with nothing abandoned{string.Concat(report.Abandoned.Select(left => $"; {left}"))}");
        }

        foreach (var (number, child) in _children)
        {
            await child.EndAsync();
            child.Collect(number, Recorder);
            await child.DisposeAsync();
        }

        _children.Clear();
    }

    public async ValueTask DisposeAsync()
    {
        if (_senders is { } senders)
        {
            await senders.DisposeAsync();
        }

        foreach (var member in _members)
        {
            await member.DisposeAsync();
        }

        foreach (var (_, child) in _children)
        {
            await child.DisposeAsync();
        }

        await Cluster.RepairAsync([]);
        await Cluster.Admin.DeleteTopicsAsync(AllTopics);
    }

    /// <summary>How far a group is behind the ends of the partitions, and beyond them.</summary>
    public async Task<(long Behind, long Beyond)> DistanceAsync(string group, IReadOnlyList<string> topics, IReadOnlyDictionary<string, long> ends)
    {
        await using var service = NewService(0);
        long behind = 0;
        long beyond = 0;
        foreach (var topic in topics)
        {
            var committed = (await service.Topics.GetCommittedOffsetsAsync(group, topic))
                .ToDictionary(partition => partition.Key.ToString(), partition => partition.Value, StringComparer.Ordinal);
            foreach (var (partition, offset) in committed)
            {
                beyond += Math.Max(0, offset - ends.GetValueOrDefault(partition));
            }

            behind += ends.Where(end => end.Key.StartsWith($"{topic}[", StringComparison.Ordinal))
                .Sum(end => Math.Max(0, end.Value - committed.GetValueOrDefault(end.Key)));
        }

        return (behind, beyond);
    }

    /// <summary>What was committed, where every member left in good order: the end of each partition, and never more.</summary>
    public async Task CheckCommittedAsync(string group, IReadOnlyList<string> topics, IReadOnlyDictionary<string, long> ends)
    {
        var (behind, beyond) = await DistanceAsync(group, topics, ends);
        var which = string.Equals(group, Group, StringComparison.Ordinal) ? "" : $" by {group[Group.Length..].TrimStart('-')} group";
        Check(beyond == 0, $"nothing is committed{which} beyond the end of a partition ({beyond})");
        Check(behind == 0, $"after the last member left, everything that was handled is committed{which} (behind: {behind})");
    }
}
