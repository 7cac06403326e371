using System.Diagnostics;
using Confluent.Kafka;
using Narad.Kafka.Producing;
using Narad.Kafka.Shared;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Tests.Producing;

/// <summary>Before connecting and after disconnecting.</summary>
public sealed class StopTests
{
    [Fact, Trait("Promise", "S4")]
    [Trait("Trap", "disposed-never-answers")]
    public async Task What_has_no_answer_at_the_deadline_fails_as_unknown_and_the_counts_add_up()
    {
        var clients = new ScriptedClients { Capacity = 3 };
        await using var sending = await Sending.ConnectAsync(clients);
        var sends = Enumerable.Range(0, 5).Select(i => sending.SendAsync("t", $"{i}", "k").AsTask()).ToList();
        clients.Last.Report();
        await Sending.Until(() => clients.Last.Taken.Count == 4, "the next to be taken");
        clients.Last.Report(1, ErrorCode.TopicAuthorizationFailed, PersistenceStatus.NotPersisted);
        await Sending.Until(() => clients.Last.Taken.Count == 5, "the last to be taken");
        var last = sending.SendAsync("t", "waits").AsTask();

        var counts = await sending.Producer.StopAsync(TimeSpan.FromMilliseconds(100)).WaitAsync(Sending.Timeout);

        counts.Should().BeEquivalentTo(new SendCounts(1, 1, 4, []));
        foreach (var send in sends.Skip(2))
        {
            (await send.Invoking(task => task).Should().ThrowAsync<KafkaSendException>()).Which.MayHaveBeenWritten.Should().BeTrue();
        }

        (await last.Invoking(task => task).Should().ThrowAsync<KafkaSendException>()).Which.MayHaveBeenWritten.Should().BeFalse("it never reached the client");
        clients.Last.Report(3);
        sending.Producer.Delivered.Should().Be(1, "a report after the deadline changes nothing");
    }

    [Fact, Trait("Promise", "S4")]
    public async Task Every_send_is_counted_once_and_what_was_taken_back_before_it_went_nowhere()
    {
        var clients = new ScriptedClients { Capacity = 4 };
        await using var sending = await Sending.ConnectAsync(clients, options =>
        {
            options.SendTimeout = TimeSpan.FromSeconds(1);
            options.SendMiddleware.Add(new Picky());
        });
        using var cancellation = new CancellationTokenSource();
        var accepted = new List<Task<SendResult>>
        {
            sending.SendAsync("t", "delivered late").AsTask(),
            sending.SendAsync("t", "refused").AsTask(),
            sending.SendAsync("t", "cancelled when it was with the client", ct: cancellation.Token).AsTask(),
            sending.SendAsync("t", "without an answer").AsTask(),
        };
        await Sending.Until(() => clients.Last.Taken.Count == 4, "the client to be full");
        var late = sending.SendAsync("t", "waits until its timeout").AsTask();
        var takenBack = new List<Task<SendResult>>
        {
            sending.SendAsync("t", "cancelled in the queue", ct: cancellation.Token).AsTask(),
            sending.SendAsync("t", "answered").AsTask(),
            sending.SendAsync("t", "thrown").AsTask(),
        };
        await cancellation.CancelAsync();
        await late.WaitAsync(Sending.Timeout).Invoking(send => send).Should().ThrowAsync<KafkaSendException>();
        await accepted[0].WaitAsync(Sending.Timeout).Invoking(send => send).Should().ThrowAsync<KafkaSendException>("its time is over too");
        clients.Last.Report();
        clients.Last.Report(1, ErrorCode.TopicAuthorizationFailed, PersistenceStatus.NotPersisted);
        clients.Last.Report();

        var counts = await sending.Producer.StopAsync(TimeSpan.FromMilliseconds(100)).WaitAsync(Sending.Timeout);

        await Task.WhenAll(accepted.Concat(takenBack)).ContinueWith(_ => { }, TaskScheduler.Default).WaitAsync(Sending.Timeout);
        counts.Should()
            .BeEquivalentTo(new SendCounts(Delivered: 1, Failed: 2, Unknown: 1, []) { Late = 1 },
                "the cancelled one was delivered, the first was written late, and what waited failed");
        (counts.Delivered + counts.Late + counts.Failed + counts.Unknown).Should().Be(accepted.Count + 1);
        accepted[2].IsCanceled.Should().BeTrue();
        sending.Producer.InFlight.Should().Be(0);
    }

    [SkippableFact, Trait("Promise", "S4")]
    public async Task On_real_Kafka_what_waits_at_the_deadline_is_unknown_and_no_awaiter_hangs()
    {
        await using var sending = await Sending.ConnectAsync("Kafka", options =>
        {
            options.Linger = TimeSpan.FromMinutes(1);
            options.TopicPartitions = 1;
            options.ClientProperties["batch.num.messages"] = "50";   // a full batch does not linger
        });
        var topic = Sending.NewTopic();
        await Task.WhenAll(Enumerable.Range(0, 50).Select(i => sending.SendAsync(topic, $"{i}", "k").AsTask())).WaitAsync(Sending.Timeout);
        var sends = Enumerable.Range(0, 40).Select(i => sending.SendAsync(topic, $"{i}", "k").AsTask()).ToList();

        var counts = await sending.Producer.StopAsync(TimeSpan.FromMilliseconds(200)).WaitAsync(Sending.Timeout);

        counts.Should().BeEquivalentTo(new { Delivered = 50, Failed = 0, Unknown = 40 });
        await Task.WhenAll(sends).ContinueWith(_ => { }, TaskScheduler.Default).WaitAsync(Sending.Timeout);
        sends.Should().OnlyContain(send => send.IsFaulted && send.Exception!.InnerException is KafkaSendException);
    }

    [Fact, Trait("Promise", "S4")]
    public async Task A_broker_that_hangs_leaves_no_awaiter_hanging_and_stopping_keeps_its_time()
    {
        using var broker = EmbeddedBroker.Start();
        var sending = await Sending.ConnectAsync(new KafkaOptions { Mode = KafkaMode.Embedded, EmbeddedBroker = broker });
        var topic = Sending.NewTopic();
        await sending.SendAsync(topic, "first");
        broker.SetLatency(TimeSpan.FromMinutes(5));
        var sends = Enumerable.Range(0, 100).Select(i => sending.SendAsync(topic, $"{i}").AsTask()).ToList();

        using var stalls = new Stalls();
        var watch = Stopwatch.StartNew();
        var counts = await sending.Producer.StopAsync(TimeSpan.FromMilliseconds(500)).WaitAsync(Sending.Timeout);

        watch.Elapsed.Should().BeLessThan(TimeSpan.FromSeconds(4) + stalls.Allowance);
        counts.Delivered.Should().Be(1);
        counts.Unknown.Should().Be(100);

        // Stopping fails the sends; those that wait for them continue a moment later, on other threads.
        await Task.WhenAll(sends).ContinueWith(_ => { }, TaskScheduler.Default).WaitAsync(Sending.Timeout);
        sends.Should().OnlyContain(send => send.IsFaulted && ((KafkaSendException)send.Exception!.InnerException!).MayHaveBeenWritten);
        broker.SetLatency(TimeSpan.Zero);
        await sending.DisposeAsync();
    }

    [Fact, Trait("Promise", "S3")]
    public async Task Sending_before_connecting_and_after_stopping_throws_not_connected()
    {
        var options = new KafkaOptions { Mode = KafkaMode.Console };
        var diagnostics = new Diagnostics.KafkaDiagnostics();
        await using var transport = Transport.For(KafkaMode.Console, options, diagnostics);
        await using var producer = new MessageProducer(transport, options, diagnostics);

        await NotConnected();
        await producer.ConnectAsync(default);
        await producer.ConnectAsync(default);
        await producer.StopAsync(TimeSpan.Zero);
        await NotConnected();

        async Task NotConnected()
        {
            (await producer.Invoking(p => p.SendAsync("t", "m", default, null, default).AsTask()).Should().ThrowAsync<KafkaNotConnectedException>())
                .Which.Message.Should().Contain("not connected");
            await producer.Invoking(p => p.SendTombstoneAsync("t", "k", null, default).AsTask()).Should().ThrowAsync<KafkaNotConnectedException>();
            await producer.Invoking(p => p.SendManyAsync("t", ["m"], null, null, default)).Should().ThrowAsync<KafkaNotConnectedException>();
        }
    }

    [SkippableFact, Trait("Promise", "S3")]
    public async Task Sending_to_real_Kafka_after_stopping_throws_not_connected()
    {
        await using var sending = await Sending.ConnectAsync("Kafka");
        await sending.SendAsync(Sending.NewTopic(), "m");
        await sending.Producer.StopAsync(Sending.Timeout);
        await sending.Invoking(s => s.SendAsync("t", "m").AsTask()).Should().ThrowAsync<KafkaNotConnectedException>();
    }

    [Fact, Trait("Promise", "S3")]
    public async Task An_outage_is_not_being_disconnected_sends_wait_for_the_broker()
    {
        using var broker = EmbeddedBroker.Start();
        await using var sending = await Sending.ConnectAsync(new KafkaOptions { Mode = KafkaMode.Embedded, EmbeddedBroker = broker });
        var topic = Sending.NewTopic();
        await sending.SendAsync(topic, "first", "k");
        broker.StopBroker();
        var sends = Enumerable.Range(0, 10).Select(i => sending.SendAsync(topic, $"{i}", "k").AsTask()).ToList();
        broker.StartBroker();

        var results = await Task.WhenAll(sends).WaitAsync(Sending.Timeout);
        results.Select(result => result.Offset).Should().Equal(Enumerable.Range(1, 10).Select(i => (long)i));
    }

    private sealed class Picky : ISendMiddleware
    {
        public async ValueTask<SendResult> SendAsync(OutgoingMessage message, SendDelegate next, CancellationToken cancellationToken) => message.Message switch
        {
            "answered" => new SendResult(message.Topic, -7, -7),
            "thrown" => throw new InvalidOperationException("no"),
            _ => await next(message, cancellationToken),
        };
    }
}
