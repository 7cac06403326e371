using Confluent.Kafka;
using FsCheck;
using FsCheck.Fluent;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Consuming;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Failures;
using Narad.Kafka.Tests.Service;

namespace Narad.Kafka.Tests.Failures;

/// <summary>The circuit's states, without a broker and with a clock that only the test moves.</summary>
public sealed class CircuitBreakerTests
{
    private const int Opened = 3080;
    private const int ProbeFailed = 3081;
    private const int Closed = 3082;
    private const int ProbeCounted = 3083;

    private readonly ManualTime _time = new();
    private readonly LogEvents _log = new();
    private readonly AssignedPartition _partition = new(new TopicPartition("orders", 0), null!);
    private long _offset;

    [Fact]
    [Trait("Promise", "S33")]
    public void It_opens_when_half_of_at_least_twenty_messages_failed_within_thirty_seconds()
    {
        var circuit = NewCircuit();
        for (var i = 0; i < 19; i++)
        {
            Fail(circuit).Should().BeFalse("19 are too few to tell");
        }

        circuit.State.Should().Be(CircuitState.Closed);
        Fail(circuit).Should().BeTrue("the one that opens it is postponed");
        circuit.State.Should().Be(CircuitState.Open);
        circuit.Outage!.Reason.Should().Be<TimeoutException>();
        circuit.Outage.Since.Should().Be(_time.GetUtcNow());
        var opened = _log.The(Opened);
        opened.Level.Should().Be(LogLevel.Error);
        opened.Error.Should().BeOfType<TimeoutException>();
        opened.Message.Should().Contain("'orders'").And.Contain("'billing'").And.Contain("20 of 20").And.Contain("5 s");
    }

    [Fact]
    [Trait("Promise", "S33")]
    public void Below_the_rate_it_stays_closed_and_what_is_older_than_the_window_is_forgotten()
    {
        var circuit = NewCircuit();
        for (var i = 0; i < 1_000; i++)
        {
            Succeed(circuit);
            Succeed(circuit);
            Fail(circuit).Should().BeFalse();
        }

        _time.Advance(TimeSpan.FromSeconds(31));
        for (var i = 0; i < 19; i++)
        {
            Fail(circuit).Should().BeFalse("what came before counts no more, good or bad");
        }

        _time.Advance(TimeSpan.FromSeconds(31));
        Fail(circuit).Should().BeFalse();
        circuit.State.Should().Be(CircuitState.Closed);
    }

    [Fact]
    public void A_message_counts_once_however_often_it_is_repeated()
    {
        var circuit = NewCircuit();
        var delivery = NewDelivery();
        for (delivery.Attempts = 1; delivery.Attempts < 100; delivery.Attempts++)
        {
            circuit.Failed(delivery, new TimeoutException()).Should().BeFalse();
        }

        circuit.State.Should().Be(CircuitState.Closed);
    }

    [Fact]
    public void What_says_nothing_of_an_outage_never_counts()
    {
        var circuit = NewCircuit(static options => options.MinimumThroughput = 1);
        var context = new MessageContext { Topic = "orders", Group = "billing" };
        Exception[] errors = [new DeadLetterException("no", new TimeoutException()),
            new MessageDeserializationException(context, typeof(string), "no", new TimeoutException()), new UnknownMessageTypeException("a", [], context)];
        foreach (var error in errors)
        {
            circuit.Failed(NewDelivery(attempts: 1), error).Should().BeFalse();
        }

        circuit.State.Should().Be(CircuitState.Closed);
    }

    [Fact]
    [Trait("Promise", "S33")]
    public void Only_failures_of_the_types_that_were_named_count_causes_included_and_others_are_successes()
    {
        var circuit = NewCircuit(static options =>
        {
            options.ExceptionTypes.Add(typeof(TimeoutException));
            options.ExceptionTypes.Add(typeof(IOException));
        });
        for (var i = 0; i < 100; i++)
        {
            Fail(circuit, new ArgumentException("poison")).Should().BeFalse();
        }

        circuit.State.Should().Be(CircuitState.Closed);
        for (var i = 0; i < 99; i++)
        {
            Fail(circuit, new InvalidOperationException("outside", new AggregateException(new FormatException(), new EndOfStreamException()))).Should()
                .BeFalse("the others were successes");
        }

        Fail(circuit).Should().BeTrue();
        circuit.State.Should().Be(CircuitState.Open);

        Fail(circuit, new ArgumentException("poison")).Should().BeFalse("the policy decides, open or not: what it needs has answered");
        var probe = Probe(circuit, TimeSpan.FromSeconds(5));
        circuit.Failed(probe, new ArgumentException("poison")).Should().BeFalse();
        circuit.State.Should().Be(CircuitState.Closed, "the probe was answered");
    }

    [Fact]
    [Trait("Promise", "S33")]
    public void It_opens_at_once_when_no_broker_takes_what_a_handler_sends_alone_or_among_many()
    {
        var tooLarge = SendFailure(nameof(ErrorCode.MsgSizeTooLarge), retriable: false);
        var unanswered = SendFailure(nameof(ErrorCode.Local_MsgTimedOut), retriable: true);
        Exception[] outages = [unanswered, new InvalidOperationException("outside", unanswered), SendManyFailure(unanswered, unanswered),
            SendManyFailure(tooLarge, unanswered)];
        foreach (var outage in outages)
        {
            var circuit = NewCircuit(static options => options.ExceptionTypes.Add(typeof(IOException)));
            var delivery = NewDelivery(attempts: 1);
            circuit.Failed(delivery, outage).Should().BeTrue("the message is not to blame");
            circuit.State.Should().Be(CircuitState.Open);
            for (var failed = 0; failed <= CircuitBreaker.MostProbesOfOne; failed++)
            {
                _time.Advance(TimeSpan.FromMinutes(1));
                circuit.TryStart(delivery).Should().BeTrue();
                circuit.Failed(delivery, outage).Should().BeTrue("however often it is tried");
            }
        }

        foreach (var refused in (Exception[])[tooLarge, SendManyFailure(tooLarge, tooLarge)])
        {
            var circuit = NewCircuit(static options => options.ExceptionTypes.Add(typeof(IOException)));
            circuit.Failed(NewDelivery(attempts: 1), refused).Should().BeFalse("Kafka answered");
            circuit.State.Should().Be(CircuitState.Closed);
        }
    }

    [Fact]
    public void Each_failure_of_many_sends_is_a_cause()
    {
        var circuit = NewCircuit(static options =>
        {
            options.MinimumThroughput = 1;
            options.ExceptionTypes.Add(typeof(IOException));
        });
        var refused = SendFailure(nameof(ErrorCode.MsgSizeTooLarge), retriable: false);

        circuit.Failed(NewDelivery(attempts: 1), SendManyFailure(refused, new EndOfStreamException())).Should().BeTrue();
    }

    [Fact]
    [Trait("Promise", "S33")]
    public void It_probes_with_one_message_after_5_10_20_40_and_then_every_60_seconds_and_closes_on_a_success()
    {
        var circuit = Open();
        foreach (var wait in (double[])[5, 10, 20, 40, 60, 60])
        {
            var probe = Probe(circuit, TimeSpan.FromSeconds(wait));
            circuit.MayStart.Should().BeFalse("one message in all");
            circuit.TryStart(NewDelivery()).Should().BeFalse();
            circuit.Failed(probe, new IOException()).Should().BeTrue("a failed probe is postponed");
            circuit.State.Should().Be(CircuitState.Open);
        }

        circuit.Outage!.Reason.Should().Be<IOException>("the latest failure");
        circuit.Outage.Since.Should().Be(DateTimeOffset.UnixEpoch, "it has been open all the time");
        _log.Count(ProbeFailed).Should().Be(6);
        circuit.Succeeded(Probe(circuit, TimeSpan.FromSeconds(60)));

        circuit.State.Should().Be(CircuitState.Closed);
        circuit.Outage.Should().BeNull();
        _log.The(Closed).Message.Should().Contain("4.25 min");
        for (var i = 0; i < 19; i++)
        {
            Fail(circuit).Should().BeFalse("nothing is left of what was counted before");
        }

        Fail(circuit).Should().BeTrue();
        Probe(circuit, TimeSpan.FromSeconds(5));
        _time.Timers.Should().Be(0);
    }

    [Fact]
    public void What_runs_when_it_opens_decides_nothing()
    {
        var circuit = Open();
        Succeed(circuit);
        Fail(circuit).Should().BeTrue("the outage is to blame");
        circuit.State.Should().Be(CircuitState.Open);

        var probe = Probe(circuit, TimeSpan.FromSeconds(5));
        Succeed(circuit);
        Fail(circuit).Should().BeTrue();
        circuit.InvocationEnded(NewDelivery(attempts: 1));
        circuit.State.Should().Be(CircuitState.HalfOpen);
        circuit.MayStart.Should().BeFalse();
        circuit.Succeeded(probe);
        circuit.State.Should().Be(CircuitState.Closed);
        Fail(circuit).Should().BeFalse("what was counted before it opened is forgotten");
    }

    [Fact]
    public void A_probe_that_tells_nothing_is_followed_by_another_at_once()
    {
        var circuit = Open();
        var poison = Probe(circuit, TimeSpan.FromSeconds(5));
        circuit.Failed(poison, new DeadLetterException("no")).Should().BeFalse();
        circuit.InvocationEnded(poison);
        circuit.MayStart.Should().BeTrue();

        var revoked = NewDelivery(attempts: 1);
        circuit.TryStart(revoked).Should().BeTrue();
        circuit.Forget(new AssignedPartition(new TopicPartition("orders", 1), null!));
        circuit.MayStart.Should().BeFalse();
        circuit.Forget(_partition);
        circuit.MayStart.Should().BeTrue("a handler that hangs in a lost partition is not waited for");

        var probe = NewDelivery(attempts: 1);
        circuit.TryStart(probe).Should().BeTrue();
        circuit.InvocationEnded(revoked);
        circuit.Succeeded(revoked);
        circuit.State.Should().Be(CircuitState.HalfOpen, "it is the probe no more");
        circuit.Succeeded(probe);
        circuit.State.Should().Be(CircuitState.Closed);
    }

    [Fact]
    [Trait("Promise", "S33")]
    public void The_policy_decides_about_the_same_message_at_its_third_failed_probe()
    {
        var circuit = Open();
        var poison = NewDelivery(attempts: 1);
        foreach (var (wait, isHandedBack) in ((double, bool)[])[(5, true), (10, true), (20, false), (40, false)])
        {
            Probe(circuit, TimeSpan.FromSeconds(wait), poison);
            circuit.Failed(poison, new TimeoutException()).Should().Be(isHandedBack);
            circuit.State.Should().Be(CircuitState.Open);
        }

        _log.Count(ProbeCounted).Should().Be(2);
        circuit.Failed(Probe(circuit, TimeSpan.FromSeconds(60)), new TimeoutException()).Should().BeTrue("another message");
    }

    [Fact]
    public void With_the_last_scheduler_it_ends_closed()
    {
        var circuit = NewCircuit(static options => options.MinimumThroughput = 1);
        var (own, retries) = (NewQueues(circuit), NewQueues(circuit));
        Fail(circuit).Should().BeTrue();
        circuit.Remove(own);
        circuit.State.Should().Be(CircuitState.Open);
        circuit.Remove(retries);
        circuit.State.Should().Be(CircuitState.Closed);
        circuit.Outage.Should().BeNull();
        Fail(circuit).Should().BeFalse("it opens no more");
        _time.Timers.Should().Be(0);
    }

    [Fact]
    public void A_success_allocates_nothing()
    {
        var circuit = NewCircuit();
        var delivery = NewDelivery(attempts: 1);
        circuit.Succeeded(delivery);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 10_000; i++)
        {
            circuit.TryStart(delivery);
            circuit.Succeeded(delivery);
            circuit.InvocationEnded(delivery);
        }

        (GC.GetAllocatedBytesForCurrentThread() - before).Should().Be(0);
    }

    [Fact]
    public void The_longest_break_is_a_minute_or_the_first_one_where_that_is_longer()
    {
        new CircuitBreakerOptions().Backoff.Before(9).Should().Be(TimeSpan.FromMinutes(1));
        new CircuitBreakerOptions { BreakDuration = TimeSpan.FromMinutes(2) }.Backoff.Before(9).Should().Be(TimeSpan.FromMinutes(2));
        new SubscriptionOptions().CircuitBreaker.Enabled.Should().BeFalse();
    }

    [Fact]
    public void Its_window_counts_as_a_list_of_everything_would() =>
        Check.One(FsCheck.Config.QuickThrowOnFailure.WithMaxTest(300), Prop.ForAll<int>(static seed =>
        {
            var random = new Random(seed);
            var window = new FailureWindow(1_000);
            var all = new List<(long At, bool Failed)>();
            var now = random.NextInt64(1_000_000);
            for (var i = 0; i < 200; i++)
            {
                now += random.Next(10) == 0 ? random.Next(3_000) : random.Next(60);
                switch (random.Next(20))
                {
                    case 0:
                        window.Clear();
                        all.Clear();
                        break;
                    case < 8:
                        window.CountFailure(now);
                        all.Add((now, true));
                        break;
                    default:
                        window.CountSuccess(now);
                        all.Add((now, false));
                        break;
                }

                var counted = all.Where(one => one.At / 100 > (now / 100) - 10).ToList();
                if (window.Read(now) != (counted.Count, counted.Count(static one => one.Failed)))
                {
                    return false.Label($"seed {seed}, step {i}");
                }
            }

            return true.Label("");
        }));

    private static KafkaSendException SendFailure(string reason, bool retriable) =>
        new("It was not sent.", "events", key: default, reason, retriable, mayHaveBeenWritten: false);

    private static KafkaSendManyException SendManyFailure(params Exception[] failures) => new(
        "Some were not sent.", new SendResult?[failures.Length], failures.Index().ToDictionary(static failed => failed.Index, static failed => failed.Item));

    private CircuitBreaker NewCircuit(Action<CircuitBreakerOptions>? configure = null)
    {
        var options = new CircuitBreakerOptions();
        configure?.Invoke(options);
        return new CircuitBreaker(options, "orders", "billing", new KafkaDiagnostics(_log, _time));
    }

    private CircuitBreaker Open()
    {
        var circuit = NewCircuit();
        for (var i = 0; i < 20; i++)
        {
            Fail(circuit);
        }

        circuit.State.Should().Be(CircuitState.Open);
        return circuit;
    }

    private Delivery Probe(CircuitBreaker circuit, TimeSpan after, Delivery? delivery = null)
    {
        _time.Advance(after - TimeSpan.FromTicks(1));
        circuit.State.Should().Be(CircuitState.Open);
        circuit.MayStart.Should().BeFalse();
        circuit.TryStart(NewDelivery()).Should().BeFalse("nothing is started while it is open");
        _time.Advance(TimeSpan.FromTicks(1));
        circuit.State.Should().Be(CircuitState.HalfOpen);
        circuit.MayStart.Should().BeTrue();
        var probe = delivery ?? NewDelivery(attempts: 1);
        circuit.TryStart(probe).Should().BeTrue();
        circuit.IsProbe(probe).Should().BeTrue();
        return probe;
    }

    private KeyQueueScheduler NewQueues(CircuitBreaker circuit) =>
        new(parallelism: 1, MessageOrder.ByKey, batch: null, _time, pipeline: null!, new CompletedDeliveries(), static _ => { }, circuit);

    private Delivery NewDelivery(int attempts = 0) =>
        new(_partition, new ReceivedMessage(_partition.Partition, _offset, Key: null, Value: null), _offset++) { Attempts = attempts };

    private void Succeed(CircuitBreaker circuit) => circuit.Succeeded(NewDelivery(attempts: 1));

    private bool Fail(CircuitBreaker circuit, Exception? error = null) => circuit.Failed(NewDelivery(attempts: 1), error ?? new TimeoutException());
}
